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

export interface Caller extends Grant {
  /** The holder of a key, or of a token of the identity provider. */
  readonly kind: 'key' | 'token'
  /** Of the key, or the token's subject. */
  readonly id: string
  readonly name: string
  /** Why, where the request doesn't say. */
  readonly reason: string | null
}

/** Whether a grant of these sites is within one of those. */
export const reaches = (outer: Pick<Grant, 'sites'>, inner: Pick<Grant, 'sites'>): boolean =>
  outer.sites === null || (inner.sites?.every((site) => outer.sites!.includes(site)) ?? false)

/**
 * Whether who holds `own` may hand out `wanted`: never for a site beyond their own, and never a scope that they lack, unless
 * they reach all sites. Who administers one site administers keys, and doesn't become its auditor by that.
 */
export const mayGrant = (own: Grant, wanted: Grant): boolean =>
  reaches(own, wanted) && (own.sites === null || wanted.scopes.every((scope) => own.scopes.includes(scope)))
