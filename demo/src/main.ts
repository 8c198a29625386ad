/** The demo: the FR-APIaaS dashboard, Avow under `/_avow`, and the privacy team's page, on one port. */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createAvow, formatKeys, generateKey, readKeys } from '@avow/server'
import { createAdaptorServer } from '@hono/node-server'
import { Hono } from 'hono'
import { createDashboard } from './app.js'
import { readAssets } from './assets.js'
import { parseConfig } from './config.js'
import { readGallery } from './gallery.js'
import type { PolicyDocument } from './policy-document.js'
import { openSessions } from './sessions.js'
import { createTraffic } from './traffic.js'

const SITE = 'fr-apiaas'
const AVOW_PATH = '/_avow'
/** What is still being answered when the demo is stopped gets this long. */
const STOP_AFTER_MS = 500

async function main(): Promise<void> {
  const config = parseConfig(process.env)
  const base = new URL('./', import.meta.url)
  const policy: unknown = JSON.parse(readFileSync(new URL('../policy.json', base), 'utf8'))
  const assets = readAssets(base)
  const galleryPolicy: unknown = JSON.parse(readFileSync(new URL('../gallery/policy.json', base), 'utf8'))

  // The port first: a second demo stops here, before it touches the first one's data.
  let app: Hono | undefined
  const server = createAdaptorServer({
    fetch: (request, env) =>
      app?.fetch(request, env) ?? new Response('starting', { status: 503, headers: { 'Retry-After': '1' } }),
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(config.port, config.host, resolve)
  })
  const { port } = server.address() as AddressInfo
  const url = config.publicUrl ?? `http://localhost:${port}`

  mkdirSync(config.data, { recursive: true, mode: 0o700 })
  const avow = await createAvow({
    data: config.data,
    publicUrl: url + AVOW_PATH,
    origin: config.origin,
    keys: readDemoKeys(join(config.data, 'kek')),
    // Both names of this machine: people open either.
    sites: [{ site: SITE, policy, origins: [url, `http://127.0.0.1:${port}`], publicLog: true }],
    rateLimit: config.rateLimit,
  })
  const sessions = openSessions(join(config.data, 'demo.db'), Date.now)
  const stopping = new AbortController()
  const dashboard = createDashboard({
    sessions,
    traffic: createTraffic(),
    // createAvow has refused anything but a whole policy document.
    policy: policy as PolicyDocument,
    gallery: await readGallery(galleryPolicy, AVOW_PATH),
    site: SITE,
    avowPath: AVOW_PATH,
    vkey: avow.vkey(SITE),
    assets,
    secure: url.startsWith('https:'),
    now: Date.now,
    stopping: stopping.signal,
  })

  const about = join(config.data, 'demo.json')
  const auditKey =
    readAuditKey(about) ??
    (await avow.keys.create({ name: 'demo privacy team', scopes: ['audit:read', 'audit:export'], site: SITE }))
  const apiUrl = url + AVOW_PATH
  const facts = {
    url,
    apiUrl,
    auditUrl: `${url}/privacy-team`,
    auditKey,
    site: SITE,
    logUrl: `${apiUrl}/log/${SITE}`,
    vkey: avow.vkey(SITE),
  }

  const whole = new Hono()
  whole.route(AVOW_PATH, avow.app)
  // What Avow doesn't know ends here: the dashboard would ask it for a CSRF token.
  whole.all(`${AVOW_PATH}/*`, (c) => {
    const problem = { type: 'about:blank', title: 'Not found', status: 404, code: 'not-found', detail: 'no such route' }
    return c.body(JSON.stringify(problem), 404, { 'Content-Type': 'application/problem+json' })
  })
  // Browsers and auditors look for it at the root of the host.
  whole.get('/.well-known/gpc.json', ({ req }) => avow.app.fetch(req.raw))
  whole.route('/', dashboard)
  app = whole

  writeWhole(about, `${JSON.stringify(facts, null, 2)}\n`)
  console.log(JSON.stringify(facts, null, 2))
  console.log(`
The FR-APIaaS dashboard is running. Ctrl-C stops it; a restart keeps everything.
  dashboard      ${url}
  privacy team   ${facts.auditUrl}#key=${auditKey}
`)

  const stop = () => {
    stopping.abort()
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    if ('closeIdleConnections' in server) server.closeIdleConnections()
    setTimeout(() => 'closeAllConnections' in server && server.closeAllConnections(), STOP_AFTER_MS).unref()
    void closed
      .then(() => avow.close())
      .then(() => sessions.close())
      .then(() => process.exit(0), fail)
  }
  process.once('SIGINT', stop)
  process.once('SIGTERM', stop)
}

/** The key that wraps the vault. Made here for the demo alone: kept beside what it wraps, it protects nothing. */
function readDemoKeys(file: string): Uint8Array[] {
  if (process.env.AVOW_KEK_FILE || process.env.AVOW_KEK) return readKeys(process.env)
  if (!existsSync(file)) {
    writeFileSync(file, formatKeys([generateKey()]), { mode: 0o600, flag: 'wx' })
    console.error(
      `${file}: made a key-encryption key, for this demo only. In production set AVOW_KEK_FILE, apart from the data.`,
    )
  }
  return readKeys({ AVOW_KEK_FILE: file })
}

/** The key of an earlier start, or null on the first. */
function readAuditKey(file: string): string | null {
  try {
    const { auditKey } = JSON.parse(readFileSync(file, 'utf8')) as { auditKey?: unknown }
    return typeof auditKey === 'string' ? auditKey : null
  } catch {
    // No file or half a file: a new key costs nothing, and the old one only reads.
    return null
  }
}

/** Readers see the old file or the new one, and only this user sees either: it holds a key. */
function writeWhole(file: string, text: string): void {
  writeFileSync(`${file}.new`, text, { mode: 0o600 })
  renameSync(`${file}.new`, file)
}

function fail(error: unknown): never {
  const { code, message } = error as NodeJS.ErrnoException
  const port = process.env.PORT || 8787
  console.error(
    code === 'EADDRINUSE' ? `port ${port} is in use: stop what runs there, or choose another with PORT=8788` : message,
  )
  process.exit(1)
}

main().catch(fail)
