/** The HTTP application: middleware, routes, and how every error is answered. Stores, keys and clock are handed in. */
import { OpenAPIHono } from '@hono/zod-openapi'
import type { Alarms } from './access/alarms.js'
import type { Tokens } from './access/token.js'
import { allowOrigins } from './middleware/allow-origins.js'
import { createDoor, type KeyEnv } from './middleware/api-key.js'
import { createCarry } from './middleware/carried-cookie.js'
import { createClientAddress } from './middleware/client-address.js'
import { rateLimit } from './middleware/rate-limit.js'
import type { Outside } from './outsiders.js'
import { inputErrorOf, notFound, problemAnswer } from './problem.js'
import { accessRoutes } from './routes/access.js'
import { activityRoutes } from './routes/activity.js'
import { adminRoutes } from './routes/admin.js'
import { auditRoutes } from './routes/audit.js'
import { consentRoutes } from './routes/consents.js'
import { docsRoutes } from './routes/docs.js'
import { gpcRoutes } from './routes/gpc.js'
import { healthRoutes } from './routes/health.js'
import { logRoutes } from './routes/log.js'
import { receiptRoutes } from './routes/receipts.js'
import { type Scripts, scriptRoutes } from './routes/script.js'
import type { Site, Sites } from './routes/site.js'
import { stateRoutes } from './routes/state.js'
import type { KeyStore } from './storage/storage.js'

export interface AppParts {
  readonly sites: Sites
  readonly keys: KeyStore
  /** Tokens of the company's own identity provider; null where there is none. */
  readonly tokens: Tokens | null
  readonly alarms: Alarms
  /** Whether the vault is still wrapped with this process's key. Rejects where the vault can't be asked. */
  readonly isKeyCurrent: () => Promise<boolean>
  readonly scripts: Scripts
  /** Where browsers reach the public surface. */
  readonly publicUrl: string
  /** Requests a minute from one address; null for no limit. */
  readonly rateLimit: number | null
  /** Addresses or CIDR ranges whose `X-Forwarded-For` is believed. */
  readonly trustedProxies: readonly string[]
  readonly version: string
  /** Unix milliseconds. */
  readonly now: () => number
  readonly later: Outside['later']
  readonly log: (line: string) => void
}

export interface App {
  /** Both surfaces, with health, description and docs. */
  readonly all: OpenAPIHono<KeyEnv>
  /** What goes under the dashboard's own host: script, notices, policy, consents. */
  readonly public: OpenAPIHono<KeyEnv>
  /** What goes where the privacy team is: audit, log, health, docs. */
  readonly private: OpenAPIHono<KeyEnv>
}

export function createApp(parts: AppParts): App {
  const { sites, keys, scripts, now, log } = parts
  // One limiter, whichever surface is asked.
  const limiter = rateLimit(parts.rateLimit, createClientAddress(parts.trustedProxies), now)

  const originsOf = (some: readonly Site[]) => new Set(some.flatMap((site) => [...site.origins]))
  const origins = originsOf([...sites.values()])
  const sharing = originsOf([...sites.values()].filter(({ page }) => page.domain !== undefined))
  const allowPages = (app: OpenAPIHono<KeyEnv>) => {
    for (const path of ['/v1/consents', '/v1/activity']) app.use(path, allowOrigins('POST', origins, sharing))
    for (const path of ['/v1/state', '/v1/receipts/*']) app.use(path, allowOrigins('GET', origins, sharing))
  }

  const create = (isPublic: boolean) => {
    const app = new OpenAPIHono<KeyEnv>({
      defaultHook: (result) => {
        if (!result.success) throw inputErrorOf(result.error, result.target)
      },
    })
    app.onError((error, c) => problemAnswer(error, c, log))
    app.notFound(notFound)
    // Before the limiter: a page on another origin couldn't read an answer that doesn't name it, nor when to come back.
    if (isPublic) allowPages(app)
    app.use('/v1/*', limiter)
    // Not the tiles: whoever checks a whole log needs hundreds of them a minute, and each may come from a cache.
    app.use('/log/:site/checkpoint', limiter)
    return app
  }
  const door = createDoor({ sites, keys, tokens: parts.tokens, alarms: parts.alarms, now })
  const carry = createCarry(parts.publicUrl)
  const addPublic = (app: OpenAPIHono<KeyEnv>) => {
    scriptRoutes(app, sites, scripts, parts.publicUrl)
    gpcRoutes(app, sites)
    consentRoutes(app, sites, carry, now)
    activityRoutes(app, sites, carry, now)
    stateRoutes(app, sites, now)
    receiptRoutes(app, sites, parts.publicUrl, now)
  }
  const addPrivate = (app: OpenAPIHono<KeyEnv>) => {
    auditRoutes(app, sites, door, scripts, parts.publicUrl, now, parts.later)
    accessRoutes(app, sites, door)
    adminRoutes(app, sites, keys, door, now)
    logRoutes(app, sites, door)
    healthRoutes(app, sites, parts.isKeyCurrent)
    docsRoutes(app, parts.version)
  }
  const app: App = { all: create(true), public: create(true), private: create(false) }
  addPublic(app.public)
  addPrivate(app.private)
  addPublic(app.all)
  addPrivate(app.all)
  return app
}
