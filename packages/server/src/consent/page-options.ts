/** What an operator may set of how a site's pages behave, checked before anything is served. Pure. */
import type { ConsentType, Layout, SiteConfig } from '@avow/sdk/wire'
import { z } from '@hono/zod-openapi'
import { InputError, inputErrorOf } from '../problem.js'
import { optionalCategories, type Policy } from './policy.js'

/** All of Google's that a category may switch. Typed, so that none that begins with `ad_` can be added. */
const CONSENT_TYPES = [
  'analytics_storage',
  'functionality_storage',
  'personalization_storage',
  'security_storage',
] as const satisfies readonly ConsentType[]

const LAYOUTS = ['box', 'box-end', 'box-center', 'bar', 'bar-top'] as const satisfies readonly Layout[]

/** A host name of at least two labels; no scheme, port or leading dot. Its last label is no number, so it is no address. */
const DOMAIN = /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+(?!\d+$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/

const A_DOMAIN = 'a domain in lower case, without scheme, port or leading dot: example.co.uk'

/** The options as fields, for the configuration file too. Each may be left out. */
export const pageOptionFields = {
  domain: z.string(A_DOMAIN).regex(DOMAIN, A_DOMAIN).optional(),
  gpc: z.literal('ask', '"ask", or nothing').optional(),
  reload: z.literal('never', '"never", or nothing').optional(),
  refusalId: z.boolean('true or false').optional(),
  page: z.boolean('true or false').optional(),
  layout: z.enum(LAYOUTS, `one of ${LAYOUTS.join(', ')}`).optional(),
  button: z.boolean('true or false').optional(),
  consentMode: z
    .record(
      z.string(),
      z.array(z.enum(CONSENT_TYPES, `${CONSENT_TYPES.join(', ')}; none of ads, which are always denied`)).min(1),
      'consent types by category',
    )
    .optional(),
}

const pageOptionsSchema = z.object(pageOptionFields)

export interface PageOptions {
  /** What the choice is shared under, `example.co.uk`: all its hosts. Left out, it is the host's own. */
  readonly domain?: string | undefined
  /** `ask`: the banner comes in spite of Global Privacy Control. */
  readonly gpc?: 'ask' | undefined
  /** `never`: a page where something ran that only a reload takes back is told, and not reloaded. */
  readonly reload?: 'never' | undefined
  /** Whether a refusal is filed under a secret that the browser keeps, so that it can be shown. */
  readonly refusalId?: boolean | undefined
  /** Whether the address of the page, without its query, is recorded. Paths carry names. */
  readonly page?: boolean | undefined
  /** Where the banner stands; `box` where it is left out. */
  readonly layout?: Layout | undefined
  /** Whether a small button opens the preferences once there is a choice. Every page then loads the UI file. */
  readonly button?: boolean | undefined
  /** Google's consent types, by the category that switches them. */
  readonly consentMode?: Readonly<Record<string, readonly ConsentType[]>> | undefined
}

/** Only what is set, as it travels to the page. */
export type SetPageOptions = Pick<SiteConfig, keyof PageOptions>

/**
 * Only what is set of a site's page options. Throws `InputError` naming the key: for a value of another form, for a
 * `domain` that the host of `publicUrl` isn't under, and for a category that the policy doesn't ask about.
 */
export function parsePageOptions(site: string, input: object, policy: Policy, publicUrl: string): SetPageOptions {
  const parsed = pageOptionsSchema.safeParse(input)
  if (!parsed.success) throw inputErrorOf(parsed.error, `sites.${site}`, `sites.${site}.`)
  const { domain, gpc, reload, refusalId, page, layout, button, consentMode } = parsed.data
  if (domain !== undefined) {
    const { hostname } = new URL(publicUrl)
    if (hostname !== domain && !hostname.endsWith(`.${domain}`))
      throw new InputError(`sites.${site}.domain`, `one that ${hostname}, the host of the public URL, is under`)
  }
  const categories = optionalCategories(policy)
  const unknown = Object.keys(consentMode ?? {}).find((category) => !categories.includes(category))
  if (unknown !== undefined)
    throw new InputError(`sites.${site}.consentMode.${unknown}`, `a category of the policy: ${categories.join(', ')}`)
  return {
    ...(domain === undefined ? {} : { domain }),
    ...(gpc === undefined ? {} : { gpc }),
    ...(reload === undefined ? {} : { reload }),
    ...(refusalId ? { refusalId } : {}),
    ...(page ? { page } : {}),
    // What the loader takes for granted needn't travel.
    ...(layout === undefined || layout === 'box' ? {} : { layout }),
    ...(button ? { button } : {}),
    ...(consentMode === undefined ? {} : { consentMode }),
  }
}
