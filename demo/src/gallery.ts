/** What the gallery shows, read once at start: the words of its policy in every language, as a server publishes them. */

import { randomBytes } from 'node:crypto'
import type { Notice, SiteConfig } from '@avow/sdk/wire'
import { createAvow, createMemoryStorage, generateKey, VERSION } from '@avow/server'

export interface Gallery {
  /** Of a site without a server: nothing that is chosen in the gallery is sent anywhere. */
  readonly site: SiteConfig
  readonly notices: ReadonlyMap<string, Notice>
  /** Address of the file that has all of Avow inside. */
  readonly script: string
}

/** `policy` is published by a server that is closed again, so its words are exactly what a visitor would be served. */
export async function readGallery(policy: unknown, avowPath: string): Promise<Gallery> {
  const avow = await createAvow({
    data: 'unused',
    storage: createMemoryStorage(),
    seedOf: () => randomBytes(32),
    // It ends at once, so nobody has to know later how far its log had come.
    escrowOf: () => ({
      highest: () => null,
      tombstones: () => [],
      put: async () => {},
      putTombstones: async () => {},
      close: () => {},
    }),
    publicUrl: 'http://localhost/_avow',
    sites: [{ site: 'gallery', policy, origins: ['http://localhost'], publicLog: false }],
    rateLimit: null,
    keys: [generateKey()],
  })
  const ask = async <Answer>(path: string): Promise<Answer> =>
    (await avow.app.request(`/v1/sites/gallery/${path}`)).json() as Promise<Answer>
  try {
    const site = await ask<SiteConfig>('config')
    const notices = new Map<string, Notice>()
    for (const language of site.languages) notices.set(language, await ask<Notice>(`notice?lang=${language}`))
    return { site, notices, script: `${avowPath}/avow.${VERSION}.js` }
  } finally {
    await avow.close()
  }
}
