/**
 * What a story happens in: real servers opened as the story asks for them, the pages that load them, and what goes wrong
 * between the two. In this process, in memory, on real sockets.
 */
import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Avow, AvowOptions, Storage } from '@avow/server'
import { assetOf } from '../pages/assets.js'
import { type Look, type Part, render } from '../pages/page.js'
import type { AuditPage, AuditRecord } from './audit.js'
import { Faults, routeOf } from './faults.js'
import { type Ground, hostNames } from './ground.js'
import { freezePath } from './killing.js'
import { type SiteName, sitePolicy, sites } from './site-policy.js'

// What was built is what is tested, so it isn't imported by its name, which the compiler has point at the source.
const server = (await import(
  new URL('../../packages/server/dist/index.js', import.meta.url).href
)) as typeof import('@avow/server')
const { erase } = (await import(new URL('./erasure.mjs', import.meta.url).href)) as {
  erase(stores: Stores, places: readonly { log: string; index: number }[], grade: 'unlink' | 'erase'): Promise<void>
}

type Escrow = ReturnType<NonNullable<AvowOptions['escrowOf']>>

/** What a server keeps, and its operator: a later one on the same is the same server after a restart. */
interface Stores {
  readonly storage: Storage
  readonly keys: readonly Uint8Array[]
  readonly escrowOf: (log: string) => Escrow
  readonly seed: Uint8Array
  readonly now: () => number
}

/** An escrow as long as the story. It takes the highest head, as those on a disk do. */
function createEscrow(): Escrow {
  let highest: ReturnType<Escrow['highest']> = null
  const forgotten: Parameters<Escrow['putTombstones']>[0][number][] = []
  return {
    highest: () => highest,
    tombstones: () => [...forgotten],
    async put({ size, root, recordedAt, checkpoint }) {
      if (size >= (highest?.size ?? 0))
        highest = { size, root: Buffer.from(root).toString('base64'), recordedAt, checkpoint }
    },
    async putTombstones(tombstones) {
      forgotten.push(...tombstones)
    },
    close: () => {},
  }
}

export interface HostOptions {
  /** The page's host: `dash.example`, and `a.b.example.co.uk` for the site that is shared. */
  readonly name?: (typeof hostNames)[number]
  /** Without TLS: no `__Host-`, no locks, no `cookieStore`. */
  readonly plain?: boolean
  /** Avow is on an origin of its own; else under `/_avow` of the page's. */
  readonly apart?: boolean
  readonly site?: SiteName
  /** Otherwise than the site of this name: `{ accountKeys: { keys: [jwk] } }`. */
  readonly options?: Readonly<Record<string, unknown>>
  /** Fields of the policy that are otherwise: `{ version: '2026-05' }`. */
  readonly policy?: Readonly<Record<string, unknown>>
}

/** One site as a story's pages see it. */
export interface Host {
  /** Of its pages. */
  readonly origin: string
  /** Where Avow's public surface is. */
  readonly base: string
  readonly site: string
  readonly loader: string
  url(path?: string): string
  /** Puts a page there, and answers its address. Parts are in `e2e/pages/`. */
  page(path: string, parts: readonly Part[], look?: Look): string
  /** Consent records of this site, oldest first. */
  records(): Promise<readonly AuditRecord[]>
  /** `records`, `subjects/…`: as the privacy team asks, with a key and a reason. */
  audit(path: string): Promise<Response>
  /** Forgets all that the subject has left, while the server runs. */
  erase(subject: string, grade?: 'unlink' | 'erase'): Promise<void>
  /** Straight to the server, past all faults: `/v1/consents`. */
  request(path: string, init?: RequestInit): Promise<Response>
  /** Ends the server; the next on the same stores begins with other fields of the policy, or other options. */
  restart(more?: Pick<HostOptions, 'options' | 'policy'>): Promise<void>
}

/** One running server, and how it is reached. */
interface Running {
  readonly path: string
  avow: Avow
  auditKey: string
}

export class World {
  readonly faults = new Faults()
  /** How far the server's clock is from the real one; a story moves it. */
  readonly clock = { aheadMs: 0 }
  /** Every host page gets the hostile script in front, as a host's own library would be. */
  readonly isHostile: boolean
  readonly #ground: Ground
  readonly #running = new Map<string, Running>()
  readonly #pages = new Map<string, (request: IncomingMessage) => { html: string; policy: string | null }>()

  constructor(ground: Ground, isHostile: boolean) {
    this.#ground = ground
    this.isHostile = isHostile
    ground.give((request, response, scheme) => this.#answer(request, response, scheme))
  }

  /** Opens a site: its server and where its pages are. Once per site and origin in a story. */
  async host(options: HostOptions = {}): Promise<Host> {
    const { site = 'shop', plain = false, apart = false } = options
    const scheme = plain ? 'http' : 'https'
    const name = options.name ?? (site === 'shared' ? 'a.b.example.co.uk' : 'dash.example')
    const avowName = !apart ? name : name.endsWith('.co.uk') ? 'consent.example.co.uk' : 'consent.example'
    const origin = this.#ground.origin(scheme, name)
    const avowOrigin = this.#ground.origin(scheme, avowName)
    // Several sites at one origin are several servers, each under a path of its own.
    const path = apart && ![...this.#running.keys()].includes(avowOrigin) ? '' : `/_avow${this.#running.size || ''}`
    const base = avowOrigin + path

    const stores = this.#createStores()
    const open = async (more: Pick<HostOptions, 'options' | 'policy'>): Promise<Running> => {
      const avow = await server.createAvow({
        data: 'memory',
        publicUrl: base,
        sites: [
          {
            site,
            policy: sitePolicy(more.policy),
            origins: hostNames
              .filter((one) => one !== 'other.example')
              .flatMap((one) => [this.#ground.origin('https', one), this.#ground.origin('http', one)]),
            publicLog: true,
            ...sites[site],
            ...more.options,
          },
        ],
        rateLimit: null,
        keys: stores.keys,
        storage: stores.storage,
        escrowOf: stores.escrowOf,
        seedOf: () => stores.seed,
        now: stores.now,
        log: (line) => console.error(`avow said: ${line}`),
      })
      const auditKey = await avow.keys.create({ name: 'privacy team', site, scopes: ['audit:read', 'audit:export'] })
      return { path, avow, auditKey }
    }
    const running = await open(options)
    this.#running.set(base, running)

    const request = async (to: string, init?: RequestInit) =>
      running.avow.app.request(to, { ...init, headers: { origin, ...(init?.headers as Record<string, string>) } })
    const audit = (to: string) =>
      request(`/v1/audit/${to}`, {
        headers: { authorization: `Bearer ${running.auditKey}`, 'avow-reason': 'browser story' },
      })
    const records = async (): Promise<readonly AuditRecord[]> => {
      const answer = await audit('records?limit=50')
      if (!answer.ok) throw new Error(`records: ${answer.status} ${await answer.text()}`)
      const { records }: AuditPage = await answer.json()
      return [...records].sort((a, b) => a.index - b.index)
    }
    const host: Host = {
      origin,
      base,
      site,
      loader: `${base}/v1/sites/${site}/avow.js`,
      url: (to = '/') => origin + to,
      page: (to, parts, look = {}) => {
        this.#pages.set(origin + to, (incoming) =>
          render(host, parts, { isHostile: this.isHostile, ...look }, incoming),
        )
        return origin + to
      },
      records,
      audit,
      request,
      async erase(subject, grade = 'erase') {
        const places = (await records()).filter((one) => one.subject === subject)
        if (places.length === 0) throw new Error(`nothing of ${subject} is recorded`)
        await erase(
          stores,
          places.map(({ index }) => ({ log: site, index })),
          grade,
        )
      },
      async restart(more = {}) {
        await running.avow.close()
        Object.assign(running, await open({ ...options, ...more }))
      },
    }
    return host
  }

  async close(): Promise<void> {
    this.#ground.give(null)
    await Promise.all([...this.#running.values()].map(({ avow }) => avow.close()))
  }

  #createStores(): Stores {
    const storage = server.createMemoryStorage()
    const escrows = new Map<string, Escrow>()
    return {
      // A server that ends closes its stores; these outlive it.
      storage: new Proxy(storage, {
        get(target, key) {
          if (key === 'close') return async () => {}
          const value = Reflect.get(target, key)
          return typeof value === 'function' ? value.bind(target) : value
        },
      }),
      keys: [server.generateKey()],
      escrowOf(log) {
        const escrow = escrows.get(log) ?? createEscrow()
        escrows.set(log, escrow)
        return escrow
      },
      seed: new Uint8Array(randomBytes(32)),
      now: () => Date.now() + this.clock.aheadMs,
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse, scheme: 'https' | 'http'): Promise<void> {
    const origin = `${scheme}://${request.headers.host}`
    const [path = '/', query] = (request.url ?? '/').split('?')
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const body = Buffer.concat(chunks).toString()
    const arrival = {
      route: routeOf(path),
      method: request.method ?? 'GET',
      host: request.headers.host ?? '',
      path: request.url ?? '/',
      headers: request.headers,
      body,
      atMs: performance.now(),
      doneMs: null as number | null,
      setCookie: [] as string[],
      status: null as number | null,
    }
    if (arrival.method !== 'OPTIONS') this.faults.arrivals.push(arrival)
    response.once('close', () => {
      arrival.doneMs ??= performance.now()
    })
    const send = (status: number, headers: Record<string, string | string[]>, bytes: Uint8Array | string) => {
      if (response.destroyed) return
      arrival.status = status
      arrival.doneMs = performance.now()
      arrival.setCookie.push(...[headers['set-cookie'] ?? []].flat())
      response.writeHead(status, headers)
      response.end(bytes)
    }

    const page = this.#pages.get(origin + path)
    if (page) {
      const { html, policy } = page(request)
      const headers = { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-cache' }
      return send(200, policy === null ? headers : { ...headers, 'content-security-policy': policy }, html)
    }
    // A page that asks for this in the old way, and waits, stands still until it dies.
    if (path === freezePath) return
    const asset = assetOf(path)
    if (asset) return send(asset.status, asset.headers, asset.body)

    const running = [...this.#running]
      .filter(([base]) => `${origin}${path}`.startsWith(`${base}/`))
      // The longest, where one base is inside another.
      .sort(([a], [b]) => b.length - a.length)[0]?.[1]
    if (!running) return send(404, { 'content-type': 'text/plain' }, 'no such page')

    const { route } = arrival
    const fault = route && arrival.method !== 'OPTIONS' ? this.faults.take(route) : null
    if (route && arrival.method !== 'OPTIONS') await this.faults.pass(route, 'request')
    if (fault === 'hang') return
    if (fault === 'reset') return void request.socket.destroy()
    if (fault && fault !== 'lost') return send(fault.status, { ...fault.headers }, fault.body ?? '')

    const answer = await running.avow.app.fetch(
      new Request(`${origin}${path.slice(running.path.length)}${query === undefined ? '' : `?${query}`}`, {
        method: arrival.method,
        headers: Object.entries(request.headers).flatMap(([name, value]): [string, string][] =>
          value === undefined ? [] : [[name, String(value)]],
        ),
        ...(body ? { body } : {}),
      }),
      { incoming: request, outgoing: response },
    )
    const bytes = new Uint8Array(await answer.arrayBuffer())
    if (route && arrival.method !== 'OPTIONS') await this.faults.pass(route, 'answer')
    if (fault === 'lost') return void request.socket.destroy()
    const headers: Record<string, string | string[]> = Object.fromEntries(answer.headers)
    const cookies = answer.headers.getSetCookie()
    if (cookies.length) headers['set-cookie'] = cookies
    send(answer.status, headers, bytes)
  }
}
