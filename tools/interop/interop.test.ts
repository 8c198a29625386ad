/**
 * A log as this server serves it, checked by Go's own `note` and `tlog`: another team's code, in another language. It
 * needs `golang-go` and `golang-golang-x-mod-dev` (Debian); a machine without them says so, and nothing is claimed.
 */
import { execFile, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { serve } from '@hono/node-server'
import { OpenAPIHono } from '@hono/zod-openapi'
import { expect, test } from 'vitest'
import { Alarms } from '../../packages/server/src/access/alarms.js'
import { createMemoryEscrow } from '../../packages/server/src/ledger/escrow.js'
import { createKeptCheckpoint } from '../../packages/server/src/ledger/kept-checkpoint.js'
import { Ledger } from '../../packages/server/src/ledger/ledger.js'
import { createSigner } from '../../packages/server/src/ledger/signer.js'
import { TestWitness } from '../../packages/server/src/ledger/test-witness.js'
import { createDoor, type KeyEnv } from '../../packages/server/src/middleware/api-key.js'
import { type Outside, startOutsiders } from '../../packages/server/src/outsiders.js'
import { logRoutes } from '../../packages/server/src/routes/log.js'
import type { Site } from '../../packages/server/src/routes/site.js'
import { createMemoryStorage } from '../../packages/server/src/storage/memory.js'
import { createKeyring } from '../../packages/server/src/vault/keyring.js'
import { parseWitnessPolicy } from '../../packages/server/src/verify/policy.js'

const SIZES = [0, 1, 2, 255, 256, 257, 65_536, 70_000]
const GOPATH = '/usr/share/gocode'
const run = promisify(execFile)

const isGoHere = existsSync(`${GOPATH}/src/golang.org/x/mod/sumdb/tlog`) && spawnSync('go', ['version']).status === 0
const missing = ' (not on this machine)'
if (!isGoHere) console.log('interop: Go and golang-golang-x-mod-dev are not here, so Go has checked nothing')

test(`Go's own note and tlog agree with a served log at every size, where Go is installed${isGoHere ? '' : missing}`, async () => {
  if (!isGoHere) return
  const folder = mkdtempSync(join(tmpdir(), 'avow-interop-'))
  const program = join(folder, 'interop')
  const env = {
    ...process.env,
    GOPATH,
    GO111MODULE: 'off',
    GOFLAGS: '',
    GOPROXY: 'off',
    GOCACHE: join(folder, 'cache'),
  }
  await run('go', ['build', '-o', program, fileURLToPath(new URL('main.go', import.meta.url))], { env })
  const { url, vkey, grow, close } = await servedLog()
  try {
    const told: string[] = []
    for (const size of SIZES) {
      await grow(size)
      told.push((await run(program, [url, vkey, folder])).stdout.trim())
    }
    expect(told).toEqual(
      SIZES.map((size, i) =>
        expect.stringMatching(`^size ${size}: \\d+ inclusion proofs, ${Math.max(0, i - 1)} consistency`),
      ),
    )
    expect(told.at(-1)).toMatch(/: 1[0-9] inclusion proofs/)
    // It does see what is wrong: the key of somebody else.
    const other = createSigner('log.example/log/interop', new Uint8Array(32).fill(8)).vkey
    await expect(run(program, [url, other, folder])).rejects.toThrow('Command failed')
  } finally {
    await close()
    rmSync(folder, { recursive: true, force: true })
  }
}, 180_000)

/** A real ledger behind the real routes on a real port, with a witness whose lines Go has to pass over. */
async function servedLog() {
  const signer = createSigner('log.example/log/interop', new Uint8Array(32).fill(7))
  const storage = createMemoryStorage()
  const { log: store } = await storage.openLog('interop', signer.name)
  const ledger = await Ledger.open({
    log: 'interop',
    store,
    signer,
    keyring: createKeyring([new Uint8Array(32).fill(1)]),
    escrow: createMemoryEscrow(),
    now: () => 1000,
    warn: () => {},
  })
  const witness = new TestWitness('witness.example/w', 1, [signer.vkey])
  const { witnesses, isMet } = parseWitnessPolicy(`witness W ${witness.vkey} https://witness.example/w\nquorum W\n`)
  const due: (() => void)[] = []
  const outside: Outside = {
    fetch: witness.fetch,
    spawn: () => {
      throw new Error('nothing is to be spawned')
    },
    timeout: () => new AbortController().signal,
    later: (_, call) => {
      due.push(call)
      return () => {}
    },
    wait: async () => {},
  }
  const { publications, close: closeOutsiders } = await startOutsiders([ledger], {
    anchor: null,
    witnessing: { witnesses: witnesses.map((one) => ({ ...one, url: one.url! })), isMet, mode: 'open' },
    keptOf: createKeptCheckpoint,
    outside,
    warn: () => {},
  })
  const publication = publications.get('interop')!
  const site = {
    name: 'interop',
    ledger,
    logs: new Map([['interop', ledger]]),
    publications,
    publicLog: true,
    access: { ledger: () => undefined },
  }
  const app = new OpenAPIHono<KeyEnv>()
  logRoutes(
    app,
    new Map([['interop', site as unknown as Site]]),
    createDoor({
      sites: new Map(),
      keys: storage.keys,
      tokens: null,
      alarms: new Alarms({}, () => {}),
      now: () => 1000,
    }),
  )
  const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' })
  await new Promise<void>((resolve) => server.once('listening', () => resolve()))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/log/interop`,
    vkey: signer.vkey,
    async grow(size: number) {
      const appended = []
      for (let index = ledger.head.size; index < size; index++) {
        const digest = createHash('sha256').update(String(index)).digest()
        const compose = () => ({
          kind: 'consent' as const,
          subject: digest.subarray(16),
          account: null,
          facet: 'all',
          evidence: {},
          identity: {},
        })
        appended.push(ledger.append({ key: digest.subarray(0, 16), fingerprint: digest, compose }))
      }
      await Promise.all(appended)
      // Until the witness has cosigned the whole of it.
      while ((publication.cosigned?.size ?? 0) < size) {
        await publication.settled()
        for (const call of due.splice(0)) call()
      }
    },
    async close() {
      await closeOutsiders()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
