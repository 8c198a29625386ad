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
import { InputError, Refusal, statusOf } from '../problem.js'
import type { KeyStore } from '../storage/storage.js'
import { isClear, type Published } from './clear-words.js'
import { decoded, readSubjectAccount } from './subject-account.js'

/**
 * `caller`: who asks, with the site that the request is about. `rows`: how many records an answer has, which a route sets;
 * of one that is streamed, once its last row has left. Left out, an answer counts as one. `leave`: to be waited for before
 * rows of a stream leave, for its rows count towards the alarms by this alone; rejects with a `Refusal` where the caller
 * would not be let in any more.
 */
export type KeyEnv = {
  Variables: {
    caller: Caller & { readonly site: string }
    rows: number | Promise<number> | undefined
    leave: (rows: number) => Promise<void>
  }
}

/** What the door needs of a site: where accesses are logged, and what is nobody's secret. */
interface DoorSite {
  readonly access: AccessLog
  readonly book: Published['book']
  readonly logs: ReadonlyMap<string, unknown>
}

/** For so long who was let in may go on without being asked again. */
const LET_IN_MS = 1000

export interface DoorParts {
  readonly sites: ReadonlyMap<string, DoorSite>
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

  const reachedBy = (caller: Caller) => [...sites.keys()].filter((site) => reaches(caller, site))

  /** The sites that the request is about, one at least: where all are meant, those where the caller may do it, if any. */
  const sitesOf = (c: Context, caller: Caller, scope: Scope, about: Parameters<Door>[1]): string[] => {
    const reached = reachedBy(caller)
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

  /** `about`: the sites in whose logs it is. */
  const begin = async (
    c: Context,
    caller: Caller,
    about: readonly string[],
    account: string | null,
    reason: string | null,
  ) => {
    const route = routeOf(c)
    const request = { params: c.req.param() as Record<string, string>, queries: c.req.queries(), account }
    const { kind, id, name } = caller
    const who = { kind, id, name }
    const ends = await Promise.all(
      about.map(async (site) => {
        const { access, book, logs } = sites.get(site)!
        const hasName = (name: string) => sites.has(name) || logs.has(name) || access.ledger(name) !== undefined
        const filters = asked(request, access.blind, (...word) => isClear(...word, { book, hasName }))
        const end = await access.begin({ who, route, filters, reason })
        alarms.asked(site, who, route, now())
        return (status: number, rows: number | Promise<number>) =>
          end(status, rows, (count) => {
            // The rows of a stream were counted as they left.
            if (typeof rows === 'number') alarms.answered(site, who, route, count, now())
          })
      }),
    )
    return (status: number, rows: number | Promise<number>) => {
      for (const end of ends) end(status, rows)
    }
  }

  /** Who asks, and what is told once it is answered. What is refused is logged as well: where the caller may ask something, if need be. */
  const enter = async (c: Context, scope: Scope, about: Parameters<Door>[1]) => {
    const caller = await authenticate(c)
    let refusal: unknown = null
    const read = <T>(what: () => T, otherwise: T): T => {
      try {
        return what()
      } catch (error) {
        refusal ??= error
        return otherwise
      }
    }
    const concerned = read(() => sitesOf(c, caller, scope, about), reachedBy(caller))
    const [site = ''] = concerned
    const account = read(() => readSubjectAccount(c), null)
    const reason = read(() => readReason(c), null) ?? caller.reason
    if (refusal === null && !may(caller, scope, site))
      refusal = new Refusal('forbidden', `this needs the scope ${scope}`)
    const end = await begin(c, caller, concerned, account, reason)
    if (refusal === null) return { caller: { ...caller, site }, end }
    end(statusOf(refusal), 0)
    throw refusal
  }

  /** See `KeyEnv`. */
  const leaver = (c: Context, { kind, id, name, site }: KeyEnv['Variables']['caller']) => {
    const route = routeOf(c)
    let letInAt = now()
    return async (rows: number) => {
      // Also where the clock was set back.
      if (Math.abs(now() - letInAt) >= LET_IN_MS) {
        await authenticate(c)
        letInAt = now()
      }
      alarms.answered(site, { kind, id, name }, route, rows, now())
    }
  }

  return (scope, about) =>
    createMiddleware<KeyEnv>(async (c, next) => {
      const { caller, end } = await enter(c, scope, about).catch((error) => {
        if ([401, 403].includes(statusOf(error))) alarms.refused(routeOf(c), now())
        throw error
      })
      c.set('caller', caller)
      c.set('leave', leaver(c, caller))
      // What is behind the door is for who asked alone; a route may say otherwise.
      c.header('cache-control', 'no-store')
      // What a route throws is an answer by then.
      await next()
      // HEAD asks the same, and no row leaves.
      end(c.res.status, c.res.ok && c.req.method !== 'HEAD' ? (c.get('rows') ?? 1) : 0)
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
