/** A copy from yesterday comes back: nothing is forked, nobody returns, and there is a way on. */
import { cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { createAvow, generateKey, openSqliteStorage, readPolicy } from '@avow/server'
import { afterEach, describe, expect, test } from 'vitest'
import { erase } from './support/failpoints.js'
import { Observer } from './support/observer.js'
import {
  createKey,
  createPlace,
  type Place,
  policyFile,
  runAvow,
  type Server,
  SITE,
  startServer,
} from './support/place.js'
import { allRecords, ask } from './support/privacy-team.js'
import { readStores } from './support/stores.js'
import { type Acknowledged, type Compose, composer, post, record, subjectOf } from './support/visitors.js'

let place: Place
let server: Server | null = null
afterEach(async () => {
  await server?.end('SIGKILL')
  server = null
  place.remove()
})

async function start(): Promise<Server> {
  server = await startServer(place)
  return server
}

async function stop(): Promise<void> {
  expect(await server?.end('SIGTERM')).toBe(0)
  server = null
}

async function recordSome(on: Server, compose: Compose, count: number): Promise<Acknowledged[]> {
  const made: Acknowledged[] = []
  for (let i = 0; i < count; i++) {
    const submission = compose()
    made.push({ submission, receipt: (await record(on, submission)).receipt })
  }
  return made
}

const FILES = ['ledger.db', 'vault.db'] as const

/** The databases as they are now, write-ahead logs too; the server is stopped. */
function backUp(): string {
  const folder = path.join(place.folder, 'backup')
  mkdirSync(folder)
  for (const name of FILES) copyDatabase(place.data, folder, name)
  return folder
}

function copyDatabase(from: string, to: string, name: string): void {
  for (const suffix of ['', '-wal', '-shm']) {
    rmSync(path.join(to, name + suffix), { force: true })
    if (existsSync(path.join(from, name + suffix))) cpSync(path.join(from, name + suffix), path.join(to, name + suffix))
  }
}

/** `avow verify` on a subject's evidence from one log. */
async function verifyEvidence(on: Server, key: string, subject: string, log: string, vkey: string) {
  const answer = await ask(on, key, `subjects/${subject}/evidence?log=${log}`)
  expect(answer.status).toBe(200)
  const file = path.join(place.folder, 'evidence.json')
  writeFileSync(file, await answer.text())
  return await runAvow(place, ['verify', file, '--vkey', vkey])
}

/** Neither found nor taken again; answers how it was refused. */
async function expectGone(on: Server, key: string, { submission, receipt }: Acknowledged): Promise<number> {
  expect((await ask(on, key, `records/${receipt.id}`)).status).toBe(404)
  expect((await ask(on, key, `subjects/${receipt.subject}`)).status).toBe(404)
  const { status } = await post(on, submission)
  expect(status).toBeOneOf([410, 503])
  return status
}

describe.each([
  { what: 'both stores', files: FILES },
  { what: 'the ledger alone', files: ['ledger.db'] as const },
])('an older copy of $what', ({ files }) => {
  test('refuses to append, serves what it has, says what to do; a new epoch goes on from the last published head', async () => {
    place = createPlace()
    let on = await start()
    const key = await createKey(place)
    const [before, after] = [new Observer(on.vkey), new Observer(on.vkey)]
    const compose = await composer(on)
    const early = await recordSome(on, compose, 6)
    for (const { receipt } of early) before.seeReceipt(receipt)
    const { head: oldHead } = await before.verify(on.logUrl)
    await stop()
    const backup = backUp()

    on = await start()
    const late = await recordSome(on, compose, 4)
    for (const { receipt } of late) after.seeReceipt(receipt)
    await stop()
    const [forgotten, doomed, ...kept] = early
    expect(await erase(place, 'erase', [forgotten!.receipt.index])).toBe(null)
    on = await start()
    const { head: lastHead } = await after.verify(on.logUrl)
    await stop()
    for (const name of files) copyDatabase(backup, place.data, name)

    on = await start()
    const refused = await post(on, compose())
    expect(refused.status).toBe(503)
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(on.stderr()).toMatch(/stands at 9 entries, and 14 were published/)
    expect(on.stderr()).toMatch(/[Rr]estore the newest copy of the ledger.*avow recover --new-epoch/)
    expect((await before.verify(on.logUrl)).head).toEqual(oldHead)
    expect(await allRecords(on, key)).toHaveLength(early.length - 1)
    await expectGone(on, key, forgotten!)
    for (const { submission, receipt } of [doomed!, ...kept]) {
      expect((await ask(on, key, `records/${receipt.id}`)).status).toBe(200)
      // Read, not appended: what stands already is answered with its place even now.
      expect((await post(on, submission)).status).toBeOneOf([200, 503])
    }
    expect((await before.verify(on.logUrl)).head.size).toBe(oldHead.size)
    await stop()

    const recovered = await runAvow(place, ['recover', '--new-epoch', '--site', SITE])
    expect(recovered).toMatchObject({ status: 0 })
    expect(recovered.stdout).toMatch(/shop\.e2 goes on from shop at 14 entries/)
    const newKey = recovered.stdout.trim().split('\n').at(-1)!

    on = await start()
    expect(on.vkey).toBe(newKey)
    const epoch = new Observer(newKey)
    const { entries } = await epoch.verify(`${on.logUrl}.e2`)
    expect(JSON.parse(entries[0]!.toString('utf8'))).toEqual({ ...lastHead, type: 'epoch', v: 1 })
    expect((await before.verify(on.logUrl)).head).toEqual(oldHead)

    // Old records are found, and sent again they stand where they stood; whoever was forgotten is not.
    expect(await expectGone(on, key, forgotten!)).toBe(410)
    for (const { submission, receipt } of [doomed!, ...kept]) {
      const again = await record(on, submission)
      expect(again).toMatchObject({ status: 200, receipt: { index: receipt.index, recordedAt: receipt.recordedAt } })
      before.seeReceipt(again.receipt)
      expect(await (await ask(on, key, `records/${receipt.id}`)).json()).toMatchObject({ record: { log: SITE } })
      expect(await (await ask(on, key, `subjects/${receipt.subject}`)).json()).toMatchObject({
        records: [{ id: receipt.id, log: SITE }],
      })
    }
    // What the lost part held is recorded anew, and so is what comes now, for an old subject too.
    for (const { submission } of late) expect((await record(on, submission)).status).toBe(201)
    const [someone] = kept
    const withdrawal = compose({
      secret: someone!.submission.secret,
      action: 'withdraw',
      choices: { analytics: false },
      previous: someone!.submission.id,
    })
    const made = await record(on, withdrawal)
    expect(made.status).toBe(201)
    epoch.seeReceipt(made.receipt)
    const subject = subjectOf(withdrawal)
    expect(await (await ask(on, key, `subjects/${subject}`)).json()).toMatchObject({
      state: 'withdrawn',
      records: [{ log: SITE }, { log: `${SITE}.e2` }],
    })
    await epoch.verify(`${on.logUrl}.e2`)
    for (const [log, vkey] of [
      [SITE, before.vkey],
      [`${SITE}.e2`, newKey],
    ] as const) {
      expect(await verifyEvidence(on, key, subject, log, vkey)).toMatchObject({ status: 0 })
    }
    expect(await verifyEvidence(on, key, subject, SITE, newKey)).toMatchObject({ status: 1 })
    await stop()

    // And it stays so.
    on = await start()
    expect((await record(on, withdrawal)).status).toBe(200)
    expect((await record(on, compose())).status).toBe(201)
    await epoch.verify(`${on.logUrl}.e2`)
    expect((await before.verify(on.logUrl)).head).toEqual(oldHead)
    await stop()

    // The log that was given up can still forget: the tombstone is in the new one, and an older vault changes nothing.
    expect(await erase(place, 'unlink', [`${SITE}/${doomed!.receipt.index}`])).toBe(null)
    for (const _ of ['at once', 'with the vault of before']) {
      on = await start()
      expect(await expectGone(on, key, doomed!)).toBe(410)
      expect(await allRecords(on, key, SITE)).toHaveLength(kept.length)
      await epoch.verify(`${on.logUrl}.e2`)
      expect((await before.verify(on.logUrl)).head).toEqual(oldHead)
      await stop()
      copyDatabase(backup, place.data, 'vault.db')
    }
  })
})

test('an older vault brings back nobody who was erased, and says what it lacks', async () => {
  place = createPlace()
  let on = await start()
  const key = await createKey(place)
  const observer = new Observer(on.vkey)
  const compose = await composer(on)
  const [unlinked, erased, kept] = await recordSome(on, compose, 3)
  for (const { receipt } of [unlinked!, erased!, kept!]) observer.seeReceipt(receipt)
  await stop()
  const backup = backUp()
  expect(await erase(place, 'unlink', [unlinked!.receipt.index])).toBe(null)
  expect(await erase(place, 'erase', [erased!.receipt.index])).toBe(null)
  copyDatabase(backup, place.data, 'vault.db')

  on = await start()
  expect(on.stderr()).toMatch(/the vault of shop is older than its ledger: the last 2 entries can't be opened/)
  for (const one of [unlinked!, erased!]) expect(await expectGone(on, key, one)).toBe(410)
  expect((await ask(on, key, `records/${kept!.receipt.id}`)).status).toBe(200)
  expect((await record(on, compose())).status).toBe(201)
  await observer.verify(on.logUrl)
  await stop()
  const rows = readStores(place).vault
  expect(rows.find(({ idx }) => idx === erased!.receipt.index)).toMatchObject({ erased: 'erase', subject: null })
  expect(rows.find(({ idx }) => idx === erased!.receipt.index)!.secrets).toHaveLength(0)
  expect(rows.find(({ idx }) => idx === unlinked!.receipt.index)).toMatchObject({ erased: 'unlink', subject: null })
})

test('a copy from before an epoch is noticed, is only read, brings nobody back, and the next epoch comes after the lost one', async () => {
  place = createPlace()
  let on = await start()
  const key = await createKey(place)
  const compose = await composer(on)
  const [forgotten, ...kept] = await recordSome(on, compose, 3)
  await stop()
  const backup = backUp()
  expect((await runAvow(place, ['recover', '--new-epoch', '--force', '--site', SITE])).status).toBe(0)
  on = await start()
  const epoch = new Observer(on.vkey)
  const [late] = await recordSome(on, compose, 1)
  epoch.seeReceipt(late!.receipt)
  await stop()
  expect(await erase(place, 'erase', [forgotten!.receipt.index])).toBe(null)
  on = await start()
  const { head } = await epoch.verify(`${on.logUrl}.e2`)
  await stop()

  for (const name of FILES) copyDatabase(backup, place.data, name)
  for (const _ of ['at once', 'after a restart']) {
    on = await start()
    expect(on.stderr()).toMatch(
      /the log of shop\.e2 stands at 0 entries, and \d+ were published.*avow recover --new-epoch/,
    )
    expect((await fetch(`${on.url}/readyz`)).status).toBe(503)
    expect((await post(on, compose())).status).toBe(503)
    await expectGone(on, key, forgotten!)
    for (const { submission } of kept) expect((await post(on, submission)).status).toBe(200)
    await stop()
  }

  expect((await runAvow(place, ['recover', '--new-epoch', '--site', SITE])).stdout).toMatch(
    /^shop\.e3 goes on from shop\.e2 at/,
  )
  on = await start()
  const { entries } = await new Observer(on.vkey).verify(`${on.logUrl}.e3`)
  expect(JSON.parse(entries[0]!.toString('utf8'))).toEqual({ ...head, type: 'epoch', v: 1 })
  expect(await expectGone(on, key, forgotten!)).toBe(410)
  expect((await record(on, late!.submission)).status).toBe(201)
  await stop()
})

test('a clock set back is survived: times of recording never decrease, over a restart neither', async () => {
  place = createPlace()
  const clock = { now: Date.parse('2026-11-23T10:00:00Z') }
  const keys = [generateKey()]
  const open = async () =>
    createAvow({
      // From the source: there is no built file yet to start a thread from.
      storage: await openSqliteStorage(place.data),
      ...{ data: place.data, keys, now: () => clock.now, rateLimit: null, log: () => {} },
      publicUrl: 'https://shop.example/_avow',
      sites: [{ site: SITE, policy: readPolicy(policyFile), origins: ['https://shop.example'], publicLog: true }],
    })
  const times: string[] = []
  for (const hours of [0, 1, -30, -29, 2, -1]) {
    clock.now += hours * 3_600_000
    const avow = await open()
    const notice = (await (await avow.app.request(`/v1/sites/${SITE}/notice`)).json()) as {
      hash: string
      language: string
      policy: object
    }
    for (const minutes of [0, -5]) {
      clock.now += minutes * 60_000
      const answer = await avow.app.request('/v1/consents', {
        method: 'POST',
        headers: { 'content-type': 'application/json', origin: 'https://shop.example' },
        body: JSON.stringify({
          ...{ id: crypto.randomUUID().replace(/^(.{14})./, '$17'), site: SITE, secret: 'AAAAAAAAAAAAAAAAAAAAAA' },
          ...{
            action: 'accept-all',
            choices: { analytics: true },
            policy: notice.policy,
            ui: 'abc123',
            layer: 'banner',
          },
          ...{ notice: { hash: notice.hash, language: notice.language }, offered: [], previous: null, sdk: '0.1.0' },
          ...{ decidedAt: new Date(clock.now).toISOString(), ageMs: 0, gpc: null },
        }),
      })
      expect(answer.status).toBe(201)
      times.push(((await answer.json()) as Acknowledged['receipt']).recordedAt)
    }
    await avow.close()
  }
  expect(times).toEqual([...times].sort())
  expect(new Set(times).size).toBeGreaterThan(1)
})
