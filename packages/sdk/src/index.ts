/** The npm entry: the same loader for those who bundle, with methods instead of one function. */
import { createMethods, type Methods } from './loader/methods.js'
import type { SiteConfig } from './wire.js'

export type { Methods } from './loader/methods.js'
export type { EventName, Heard } from './loader/start.js'
export type { Action, Choices, ConsentType, Notice, SiteConfig, Submission, SubmissionAnswer } from './wire.js'

/**
 * `site` is the site's configuration, as `/v1/sites/SITE/config` answers it; `base` the address of the public surface, absent
 * where there is no server: then `site.notices` holds the words, and choices stay in the browser. Throws where `site` is
 * wrong. Category names are those of `site.categories`. `nonce`: that of the page's script policy; where a page has nonces and none is given,
 * no held script runs.
 */
export const createConsent = <const Site extends SiteConfig>(
  site: Site,
  base?: string,
  nonce?: string,
): Methods<Site['categories'][number]> =>
  createMethods(site, base, nonce, {
    ui: () => import('./ui/mount.js'),
    settings: () => import('./ui/settings/mount.js'),
    account: () => import('./decide/identify.js'),
  })
