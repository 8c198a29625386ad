/**
 * The door of the private surface: who asks, for which site, whether they may; and that it is in the access log before
 * anything is answered.
 */
import type { Context, MiddlewareHandler } from 'hono'
import { createMiddleware } from 'hono/factory'
import type { AccessLog } from '../access/access-log.js'
import type { Alarms } from '../access/alarms.js'
import { authenticateKey, isLine, REASON_LIMIT, unauthorized } from '../access/api-key.js'
import { asked } from '../access/asked.js'
import { type Caller, may, reaches, type Scope } from '../access/caller.js'
import type { Tokens } from '../access/token.js'
import { InputError, PROBLEMS, Refusal } from '../problem.js'
import type { KeyStore } from '../storage/storage.js'
import { decoded, readSubjectAccount } from './subject-account.js'

/**
 * `apiKey`: who asks, with the site that the request is about. `rows`: how many records an answer has, which a route sets;
 * of one that is streamed, once its last row has left. Left out, an answer counts as one.
 */
export type KeyEnv = {
  Variables: { caller: Caller & { readonly site: string }; rows: number | Promise<number> | undefined }
}

export interface DoorParts {
  readonly sites: ReadonlyMap<string, { readonly access: AccessLog }>
  readonly keys: KeyStore
  /** Tokens of the identity provider; null where there is none. */
  readonly tokens: Tokens | null
  readonly alarms: Alarms
  /** Unix milliseconds. */
  readonly now: () => number
}

/**
 * Lets through who may do this. `about`: the site that the address names, or `all` for what is about no single one; left
 * out, it is the caller's, or in `Avow-Site`.
 */
export type Door = (scope: Scope, about?: 'all' | ((c: Context) => string)) => MiddlewareHandler<KeyEnv>

export function createDoor({ sites, keys, tokens, alarms, now }: DoorParts): Door {
  const authenticate = async (c: Context): Promise<Caller> => {
    const bearer = /^Bearer +([\w.~+/=-]+)$/i.exec(c.req.header('authorization') ?? '')?.[1]
    if (bearer === undefined) throw unauthorized('unauthorized', 'send the key as Authorization: Bearer avow_…')
    // A JSON Web Token has dots, which no key has.
    return tokens !== null && bearer.includes('.') ? tokens.authenticate(bearer) : authenticateKey(keys, bearer, now())
  }

  /** The one site that this is about: of several, `Avow-Site` names it. In the query it would be an unknown field of every route. */
  const chosenSite = (c: Context, reached: readonly string[]): string => {
    const named = c.req.header('avow-site')
    if (named !== undefined) return named
    if (reached.length !== 1) throw new InputError('avow-site', 'a header with the name of the site that this is about')
    return reached[0]!
  }

  /** The sites that the request is about, one at least: where all are meant, those where the caller may do it, if any. */
  const sitesOf = (c: Context, caller: Caller, scope: Scope, about: Parameters<Door>[1]): string[] => {
    const reached = [...sites.keys()].filter((site) => reaches(caller, site))
    if (reached.length === 0) throw new Refusal('wrong-site', 'no site that is served here may be asked about')
    if (about === 'all') {
      const allowed = reached.filter((site) => may(caller, scope, site))
      return allowed.length > 0 ? allowed : reached
    }
    const site = about ? about(c) : chosenSite(c, reached)
    if (!reaches(caller, site)) throw new Refusal('wrong-site', 'this is not for the site that was asked about')
    if (!sites.has(site)) throw new Refusal('not-found', 'no such site here', { field: 'site' })
    return [site]
  }

  const begin = async (c: Context, caller: Caller, about: readonly string[]) => {
    const route = routeOf(c)
    const named = [
      ...Object.entries<string>(c.req.param()),
      ...Object.entries(c.req.queries()).map(([name, values]) => [name, values.join(',')] as const),
    ]
    const account = readSubjectAccount(c) ?? undefined
    const reason = readReason(c) ?? caller.reason
    const { kind, id, name } = caller
    const who = { kind, id, name }
    const ends = await Promise.all(
      about.map(async (site) => {
        const { access } = sites.get(site)!
        const end = await access.begin({ who, route, filters: asked(named, account, access.blind), reason })
        alarms.asked(site, who, route, now())
        return (status: number, rows: number | Promise<number>) =>
          end(status, rows, (count) => alarms.answered(site, who, route, count, now()))
      }),
    )
    return (status: number, rows: number | Promise<number>) => {
      for (const end of ends) end(status, rows)
    }
  }

  /** Who asks, and what is told once it is answered. Rejects with a `Refusal` for who may not. */
  const enter = async (c: Context, scope: Scope, about: Parameters<Door>[1]) => {
    const caller = await authenticate(c)
    const reached = sitesOf(c, caller, scope, about)
    const [site = ''] = reached
    const end = await begin(c, caller, reached)
    if (may(caller, scope, site)) return { caller: { ...caller, site }, end }
    end(403, 0)
    throw new Refusal('forbidden', `this needs the scope ${scope}`)
  }

  return (scope, about) =>
    createMiddleware<KeyEnv>(async (c, next) => {
      const { caller, end } = await enter(c, scope, about).catch((error) => {
        if (error instanceof Refusal && [401, 403].includes(PROBLEMS[error.code][0])) alarms.refused(routeOf(c), now())
        throw error
      })
      c.set('caller', caller)
      // What a route throws is an answer by then.
      await next()
      end(c.res.status, c.res.ok ? (c.get('rows') ?? 1) : 0)
    })
}

/** As the description of the API writes it, without what was asked for, and without what the application is mounted under. */
const routeOf = (c: Context) => {
  const path = c.req.routePath.replace(/:(\w+)(\{[^}]*\})?/g, '{$1}')
  return `${c.req.method} ${path.replace(/^.*(?=\/(v1|log)\/)/, '')}`
}

/** What `Avow-Reason` says, percent-encoded where it isn't ASCII; null where there is none. Throws `InputError`. */
function readReason(c: Context): string | null {
  const header = c.req.header('avow-reason')
  if (header === undefined) return null
  const reason = decoded(header).trim()
  if (!isLine(reason, REASON_LIMIT)) throw new InputError('avow-reason', `1 to ${REASON_LIMIT} characters on one line`)
  return reason
}
