/** The door of the private surface: who asks, for which site, and whether they may. */
import type { Context } from 'hono'
import { createMiddleware } from 'hono/factory'
import { authenticateKey, unauthorized } from '../access/api-key.js'
import type { Caller, Scope } from '../access/caller.js'
import { InputError, Refusal } from '../problem.js'
import type { KeyStore } from '../storage/storage.js'

/** `apiKey`: who asks, with the site that the request is about. */
export type KeyEnv = { Variables: { apiKey: Caller & { readonly site: string } } }

export interface DoorParts {
  /** Names of the sites that are served here. */
  readonly sites: { has(site: string): boolean; keys(): Iterable<string> }
  readonly keys: KeyStore
  /** Unix milliseconds. */
  readonly now: () => number
}

/** Lets through who may do this. `siteOf`: the site that the address names; by default it is the caller's, or in `Avow-Site`. */
export type Door = (scope: Scope, siteOf?: (c: Context) => string) => ReturnType<typeof createMiddleware<KeyEnv>>

export function createDoor({ sites, keys, now }: DoorParts): Door {
  const authenticate = async (c: Context): Promise<Caller> => {
    const header = c.req.header('authorization')
    if (header === undefined) throw unauthorized('unauthorized', 'send the key as Authorization: Bearer avow_…')
    const bearer = /^Bearer +([\w.~+/=-]+)$/i.exec(header)?.[1]
    if (bearer === undefined) throw unauthorized('unauthorized', 'send the key as Authorization: Bearer avow_…')
    return authenticateKey(keys, bearer, now())
  }

  /** The one site that the request is about. */
  const chosenSite = (c: Context, caller: Caller): string => {
    const named = c.req.header('avow-site')
    if (named !== undefined) return named
    const reached = caller.sites ?? [...sites.keys()]
    if (reached.length !== 1) throw new InputError('avow-site', 'a header with the name of the site that this is about')
    return reached[0]!
  }

  return (scope, siteOf) =>
    createMiddleware<KeyEnv>(async (c, next) => {
      const caller = await authenticate(c)
      const site = siteOf ? siteOf(c) : chosenSite(c, caller)
      if (caller.sites !== null && !caller.sites.includes(site))
        throw new Refusal('wrong-site', 'this is not for the site that was asked about')
      if (!sites.has(site)) throw new Refusal('not-found', 'no such site here', { field: 'site' })
      if (!caller.scopes.includes(scope)) throw new Refusal('forbidden', `this needs the scope ${scope}`)
      c.set('apiKey', { ...caller, site })
      await next()
    })
}
