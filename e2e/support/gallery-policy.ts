/** The gallery's policy, which has words in every language that Avow speaks. */
import { readFileSync } from 'node:fs'
import type { Notice } from '@avow/sdk/wire'
import type { Host } from './world.js'

const url = new URL('../../demo/gallery/policy.json', import.meta.url)

/** For `world.host({ policy })`. */
export const galleryPolicy = JSON.parse(readFileSync(url, 'utf8')) as { readonly texts: Record<string, unknown> }

export const galleryLanguages = Object.keys(galleryPolicy.texts)

/** What the server has published in a language. */
export const noticeOf = async (host: Host, language: string): Promise<Notice> =>
  (await host.request(`/v1/sites/${host.site}/notice?lang=${language}`)).json()
