/** Who asks the private surface, and how far that reaches. Pure. */

export const SCOPES = [
  'audit:read',
  'audit:export',
  'stats:read',
  'access:read',
  'rights:read',
  'rights:write',
  'purposes:read',
  'purposes:write',
  'admin',
] as const
export type Scope = (typeof SCOPES)[number]

/** What somebody may do, and where. */
export interface Grant {
  /** Null for all. */
  readonly sites: readonly string[] | null
  readonly scopes: readonly Scope[]
}

export interface Caller {
  /** The holder of a key, or of a token of the identity provider. */
  readonly kind: 'key' | 'token'
  /** Of the key, or the token's subject. */
  readonly id: string
  readonly name: string
  /** Of a key one, of a token one for each role: what a role may do on one site it may not do on another's. */
  readonly grants: readonly Grant[]
  /** Why, where the request doesn't say. */
  readonly reason: string | null
}

type Granted = Pick<Caller, 'grants'>

/** Whether the caller may do anything at all there. */
export const reaches = ({ grants }: Granted, site: string): boolean =>
  grants.some(({ sites }) => sites === null || sites.includes(site))

/** Whether the caller may do this there; `null`: everywhere, by one grant. */
export const may = ({ grants }: Granted, scope: Scope, site: string | null): boolean =>
  grants.some(
    ({ sites, scopes }) => scopes.includes(scope) && (sites === null || (site !== null && sites.includes(site))),
  )

/** Whether the caller may do this at all of these sites; null for everywhere. */
const mayAtAll = (caller: Granted, scope: Scope, sites: readonly string[] | null): boolean =>
  sites === null ? may(caller, scope, null) : sites.every((site) => may(caller, scope, site))

/** Whether a key of these sites is the caller's to administer. */
export const administers = (caller: Granted, { sites }: Pick<Grant, 'sites'>): boolean =>
  mayAtAll(caller, 'admin', sites)

/**
 * Whether who administers may hand out `wanted`: never for a site beyond their own, and never a scope that they lack there,
 * unless they administer all sites. Who administers one site administers its keys, and doesn't become its auditor by that.
 */
export const mayGrant = (caller: Granted, wanted: Grant): boolean =>
  administers(caller, wanted) &&
  (may(caller, 'admin', null) || wanted.scopes.every((scope) => mayAtAll(caller, scope, wanted.sites)))
