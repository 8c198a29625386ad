/** No room to write: 503, nothing half-written, and all is well again, without a restart, once there is room. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import Database from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import { times } from './support/length.js'
import { Observer } from './support/observer.js'
import { createKey, createPlace, type Place, type Server, SITE, startServer } from './support/place.js'
import { allRecords, ask } from './support/privacy-team.js'
import { readStores } from './support/stores.js'
import { type Acknowledged, type Compose, composer, post, record, type Submission } from './support/visitors.js'

const BLOCK_BYTES = 4096
const VISITORS = 8

/** Rounds until something is refused: SQLite first uses up what room its write-ahead logs have from before. */
const ROUNDS_LIMIT = 400

interface Under {
  readonly place: Place
  readonly server: Server
  readonly key: string
  readonly compose: Compose
  readonly observer: Observer
  readonly acknowledged: Acknowledged[]
}

async function send({ server, observer, acknowledged }: Under, submission: Submission): Promise<number> {
  const answer = await post(server, submission)
  if (answer.status === 201 || answer.status === 200) {
    const receipt = (await answer.json()) as Acknowledged['receipt']
    observer.seeReceipt(receipt)
    acknowledged.push({ submission, receipt })
    return answer.status
  }
  expect(answer.status).toBe(503)
  expect(answer.headers.get('content-type')).toBe('application/problem+json')
  expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
  expect(await answer.json()).toMatchObject({ code: 'unavailable', status: 503 })
  return 503
}

/** Sends until something is refused; answers all that was. */
async function sendUntilRefused(under: Under): Promise<Submission[]> {
  for (let round = 0; round < ROUNDS_LIMIT; round++) {
    const submissions = Array.from({ length: VISITORS }, () => under.compose())
    const statuses = await Promise.all(submissions.map((submission) => send(under, submission)))
    const refused = submissions.filter((_, i) => statuses[i] === 503)
    if (refused.length > 0) return refused
  }
  throw new Error(`nothing was refused in ${ROUNDS_LIMIT} rounds`)
}

/**
 * While nothing can be written: what was refused is nowhere, and the log is still read. An audit question is answered only where
 * there is room to say that it was asked.
 */
async function expectReadsGoOn({ server, key, acknowledged, observer }: Under, refused: readonly Submission[]) {
  for (const { id } of refused) expect([404, 503]).toContain((await ask(server, key, `records/${id}`)).status)
  expect([200, 503]).toContain((await ask(server, key, `records/${acknowledged[0]!.receipt.id}`)).status)
  await observer.verify(server.logUrl)
}

async function expectWhole({ place, server, key, acknowledged, observer }: Under) {
  const { entries } = await observer.verify(server.logUrl)
  const opened = new Set((await allRecords(server, key)).map(({ id, index }) => `${id} ${index}`))
  expect(opened.size).toBe(entries.filter((entry) => entry.includes('"type":"consent"')).length)
  for (const { receipt } of acknowledged) expect(opened).toContain(`${receipt.id} ${receipt.index}`)
  expect(await server.end('SIGTERM')).toBe(0)
  const stores = readStores(place)
  expect(stores.integrity).toEqual(['ok', 'ok'])
  expect(stores.size).toBe(entries.length)
  expect(stores.vault.map(({ idx }) => idx)).toEqual(stores.entries.map(({ idx }) => idx))
}

async function serveFrom(place: Place): Promise<Under> {
  const server = await startServer(place)
  const key = await createKey(place)
  const under = {
    ...{ place, key, server, acknowledged: [] },
    compose: await composer(server),
    observer: new Observer(server.vkey),
  }
  for (let i = 0; i < VISITORS; i++) expect(await send(under, under.compose())).toBe(201)
  return under
}

/** A disk of its own, where mounting one is permitted. */
function mountSmallDisk(): { folder: string; unmount(): void } | null {
  const folder = mkdtempSync(path.join(tmpdir(), 'avow-small-'))
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', folder]).status !== 0) {
    rmSync(folder, { recursive: true })
    return null
  }
  return {
    folder,
    unmount() {
      spawnSync('umount', [folder])
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

const disk = mountSmallDisk()
disk?.unmount()
if (!disk)
  console.warn('not run: no small disk may be mounted here; write errors are made by a limit on file sizes alone')

describe.skipIf(!disk)('on a small disk that is full', () => {
  // How much is left decides where it ends: in the vault, between the two, in the ledger.
  test.each([0, 1, 2, 4, 7, 12, 20].slice(0, times(4, 7)))('with %i blocks to spare', async (spare) => {
    const small = mountSmallDisk()
    if (!small) throw new Error('a disk could be mounted a moment ago')
    const place = createPlace({ data: path.join(small.folder, 'data') })
    try {
      const under = await serveFrom(place)
      try {
        for (let time = 0; time < times(2, 5); time++) {
          const filler = path.join(small.folder, 'filler')
          const { bavail, bsize } = statfsSync(small.folder)
          writeFileSync(filler, Buffer.alloc(bavail * bsize - spare * BLOCK_BYTES))
          const refused = await sendUntilRefused(under)
          await expectReadsGoOn(under, refused)
          rmSync(filler)
          // At once, in the same process: none of them stands already, since 503 said that nothing was written.
          for (const submission of refused) expect(await send(under, submission)).toBe(201)
        }
        await expectWhole(under)
      } finally {
        await under.server.end('SIGKILL')
      }
    } finally {
      place.remove()
      small.unmount()
    }
  })
})

const canLimit = spawnSync('prlimit', ['--version']).status === 0
if (!canLimit) console.warn('not run: prlimit is not here, so no write errors are made by a limit on file sizes')

describe.skipIf(!canLimit)('when the system refuses a write', () => {
  test('after the vault was written and before the ledger is, the vault’s rows are seen by nobody, and replaced', async () => {
    const place = createPlace()
    const under = await serveFrom(place)
    const sizeOf = (name: string) => statSync(path.join(place.data, name)).size
    const limit = (size: string) =>
      expect(
        spawnSync('prlimit', ['--pid', String(under.server.process.pid), `--fsize=${size}:unlimited`]).status,
      ).toBe(0)
    try {
      for (let time = 0; time < times(2, 10); time++) {
        // The ledger's write-ahead log is the longer one: no file may grow past where that one ends now.
        expect(sizeOf('ledger.db-wal')).toBeGreaterThan(sizeOf('vault.db-wal') + 20 * BLOCK_BYTES)
        limit(String(sizeOf('ledger.db-wal')))
        const refused = await sendUntilRefused(under)
        const vault = new Database(path.join(place.data, 'vault.db'), { readonly: true })
        const vaultSize = vault
          .prepare<[string], number>('SELECT max(idx) + 1 FROM vault WHERE site_id = ?')
          .pluck()
          .get(SITE)!
        vault.close()
        const { head } = await under.observer.verify(under.server.logUrl)
        expect(vaultSize).toBeGreaterThan(head.size)
        await expectReadsGoOn(under, refused)
        limit('unlimited')
        for (const submission of refused) expect(await send(under, submission)).toBe(201)
      }
      expect((await record(under.server, under.acknowledged[0]!.submission)).status).toBe(200)
      await expectWhole(under)
    } finally {
      await under.server.end('SIGKILL')
      place.remove()
    }
  })
})
