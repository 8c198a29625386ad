import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { subjectOf } from '../consent/record.js'
import { createMemoryEscrow, type Escrow } from '../ledger/escrow.js'
import { realOutside } from '../outsiders.js'
import { createMemoryStorage } from '../storage/memory.js'
import { openSqliteStorage } from '../storage/sqlite.js'
import { testFolder } from '../test-folder.js'
import { PAGE_ORIGIN, SITE, testPolicy, testWorld } from '../testing.js'
import { verifyBundle } from '../verify/bundle.js'
import { lapsedUntil } from './lapses.js'

const DAY_MS = 86_400_000

type World = Awaited<ReturnType<typeof testWorld>>

async function granted({ submission, post, signedIn }: World, account?: string) {
  const sent = submission()
  const response = await post(sent, account === undefined ? {} : await signedIn(account))
  expect(response.status).toBe(201)
  return sent
}

const stateIn = async (response: Response | Promise<Response>) => (await (await response).json()).state
const historyOf = async (world: World, secret: string) =>
  (await (await world.audit(`/subjects/${subjectOf(SITE, secret)}`)).json()).records

describe('a grant of whom nothing is known any more', () => {
  test('lapses on the 31st day after the last one, and not a millisecond before', async () => {
    const world = await testWorld()
    const { clock, pass, avow, activity } = world
    const { secret } = await granted(world)
    // Recorded on the 23rd at ten; thirty days and fourteen hours later that day is over.
    await pass(Date.parse('2026-12-24T00:00:00Z') - 1 - clock.now)
    expect(await avow.recordLapses()).toEqual({ [SITE]: 0 })
    clock.now += 1
    expect(await avow.recordLapses()).toEqual({ [SITE]: 1 })
    expect(await avow.recordLapses()).toEqual({ [SITE]: 0 })
    expect(await stateIn(activity(secret))).toBe('lapsed')
    const [grant, lapse] = await historyOf(world, secret)
    expect(lapse).toMatchObject({
      ...{ action: 'lapse', layer: 'server', choices: { analytics: false }, offered: [], previous: grant.id },
      ...{ decidedAt: '2026-11-24T00:00:00.000Z', recordedAt: '2026-12-24T00:00:00.000Z' },
      ...{ policy: grant.policy, notice: grant.notice, gpc: null, agent: 'server', account: null },
    })
  })

  test('does not while its browser is heard of once a day, and nothing is kept of that but the last day', async () => {
    const world = await testWorld()
    const { clock, pass, avow, activity, storage } = world
    const { secret } = await granted(world)
    for (let days = 0; days < 90; days += 30) {
      await pass(30 * DAY_MS)
      expect(await stateIn(activity(secret))).toBe('granted')
      expect(await avow.recordLapses()).toEqual({ [SITE]: 0 })
    }
    const { log } = await storage.openLog(SITE, null)
    expect((await log.idle(Number.MAX_SAFE_INTEGER, 10)).map(({ day }) => day)).toEqual([
      Math.floor(clock.now / DAY_MS),
    ])
    await pass(31 * DAY_MS)
    expect(await avow.recordLapses()).toEqual({ [SITE]: 1 })
    expect(await log.idle(Number.MAX_SAFE_INTEGER, 10)).toEqual([])
  })

  test('is granted by who comes back and says so, and lapses once more', async () => {
    const world = await testWorld()
    const { pass, avow, submission, post } = world
    const { secret } = await granted(world)
    for (let i = 0; i < 2; i++) {
      await pass(40 * DAY_MS)
      expect(await avow.recordLapses()).toEqual({ [SITE]: 1 })
      expect((await (await post(submission({ secret }))).json()).state).toBe('granted')
    }
    expect((await historyOf(world, secret)).map(({ action }: { action: string }) => action)).toEqual([
      ...['accept-all', 'lapse', 'accept-all', 'lapse', 'accept-all'],
    ])
  })

  test('is told to its browser as lapsed, with nothing to adopt, and a history of its own choices alone', async () => {
    const world = await testWorld()
    const { pass, avow, state, signedIn } = world
    const { secret, id } = await granted(world, 'ann')
    await pass(40 * DAY_MS)
    await avow.recordLapses()
    const own = await (await state(secret)).json()
    expect(own).toMatchObject({ state: 'lapsed', decision: null })
    expect(own.history.map((one: { id: string }) => one.id)).toEqual([id])
    const shared = await (await state(null, await signedIn('ann'))).json()
    expect(shared).toMatchObject({ state: 'lapsed', decision: null })
  })

  test('keeps none on another device of the account from being a grant', async () => {
    const world = await testWorld()
    const { pass, avow, state, signedIn, activity } = world
    const first = await granted(world, 'ann')
    const second = await granted(world, 'ann')
    await pass(20 * DAY_MS)
    await activity(second.secret)
    await pass(20 * DAY_MS)
    expect(await avow.recordLapses()).toEqual({ [SITE]: 1 })
    expect(await stateIn(state(first.secret))).toBe('lapsed')
    expect(await stateIn(state(second.secret))).toBe('granted')
    expect(await stateIn(state(null, await signedIn('ann')))).toBe('granted')
  })

  test('is recorded once by two servers on the same stores', async () => {
    const storage = createMemoryStorage()
    const world = await testWorld({ storage })
    const { secret } = await granted(world)
    await world.avow.recordLapses()
    await world.pass(40 * DAY_MS)
    const { now } = world.clock
    const { log } = await storage.openLog(SITE, null)
    const idle = await log.idle(Number.MAX_SAFE_INTEGER, 10)
    const servers = [await testWorld({ storage, now: () => now }), await testWorld({ storage, now: () => now })]
    // As if the second had asked before the first was done.
    for (const { avow } of servers) {
      await avow.recordLapses()
      await log.keepActive(idle)
    }
    expect(await historyOf(servers[1]!, secret)).toHaveLength(2)
  })
})

test('who grants again in the moment in which they lapse is told that it stands, and so it does', async () => {
  const world = await testWorld()
  const { pass, avow, post, submission, state } = world
  const sent = await Promise.all(Array.from({ length: 50 }, () => granted(world)))
  await avow.recordLapses()
  await pass(40 * DAY_MS)
  const sweeping = avow.recordLapses()
  const told = await Promise.all(sent.map(({ secret }) => stateIn(post(submission({ secret })))))
  await sweeping
  const states = await Promise.all(sent.map(({ secret }) => stateIn(state(secret))))
  expect([new Set(told), new Set(states)]).toEqual([new Set(['granted']), new Set(['granted'])])
})

test('a record tells of its day where a crash lost what was to be kept of it', async () => {
  const storage = createMemoryStorage()
  const outside = { ...realOutside, later: () => () => {} }
  const first = await testWorld({ storage, outside })
  const { secret } = await granted(first)
  await first.avow.recordLapses()
  await first.pass(20 * DAY_MS)
  await first.post(first.submission({ secret }))
  // The process dies before it is kept: what follows is asked of another one.
  await first.pass(11 * DAY_MS)
  const second = await testWorld({ storage, outside, now: () => first.clock.now })
  expect(await second.avow.recordLapses()).toEqual({ [SITE]: 0 })
  await first.pass(19 * DAY_MS)
  expect(await second.avow.recordLapses()).toEqual({ [SITE]: 0 })
  await first.pass(DAY_MS)
  expect(await second.avow.recordLapses()).toEqual({ [SITE]: 1 })
  expect((await historyOf(second, secret)).at(-1)).toMatchObject({ decidedAt: '2026-12-14T00:00:00.000Z' })
})

test('where one site’s sweep fails the others have theirs, and it is said which failed', async () => {
  const storage = createMemoryStorage()
  const openLog = storage.openLog.bind(storage)
  storage.openLog = async (site, origin) => {
    const opened = await openLog(site, origin)
    if (site === 'broken') opened.log.keepServed = () => Promise.reject(new Error('no more room'))
    return opened
  }
  const site = (name: string, origin: string) => ({
    ...{ site: name, policy: testPolicy(), origins: [origin], publicLog: true },
  })
  const world = await testWorld({ storage, sites: [site('broken', 'https://broken.example'), site(SITE, PAGE_ORIGIN)] })
  const { secret } = await granted(world)
  await world.pass(40 * DAY_MS)
  await expect(world.avow.recordLapses()).rejects.toThrow('broken: no more room')
  expect(await stateIn(world.state(secret))).toBe('lapsed')
})

describe('nobody lapses of whom nobody could hear:', () => {
  test('after an older copy of the vault, which lacks entries, everybody has the whole term again', async () => {
    const data = testFolder()
    const escrows = new Map<string, Escrow>()
    const escrowOf = (log: string) => {
      const escrow = escrows.get(log) ?? createMemoryEscrow()
      escrows.set(log, escrow)
      return escrow
    }
    const open = async (now: number) => {
      const world = await testWorld({ storage: await openSqliteStorage(data), escrowOf, now: () => now })
      world.clock.now = now
      return world
    }
    const start = Date.parse('2026-11-23T10:00:00Z')
    const first = await open(start)
    const { secret } = await granted(first)
    await first.pass(25 * DAY_MS)
    await first.avow.close()
    const older = readFileSync(path.join(data, 'vault.db'))
    const second = await open(start + 25 * DAY_MS)
    await second.activity(secret)
    await granted(second)
    await second.avow.close()
    writeFileSync(path.join(data, 'vault.db'), older)
    for (const days of [25, 26, 27, 28, 29, 30, 31, 32, 54]) {
      const world = await open(start + days * DAY_MS)
      expect([days, await world.avow.recordLapses()]).toEqual([days, { [SITE]: 0 }])
      await world.avow.close()
    }
  })

  test('after an outage everybody has the whole term again', async () => {
    const world = await testWorld()
    const { clock, pass, avow, state } = world
    const { secret } = await granted(world)
    await pass(20 * DAY_MS)
    clock.now += 100 * DAY_MS
    expect(await avow.recordLapses()).toEqual({ [SITE]: 0 })
    await pass(29 * DAY_MS)
    expect(await avow.recordLapses()).toEqual({ [SITE]: 0 })
    expect(await stateIn(state(secret))).toBe('granted')
    await pass(DAY_MS)
    expect(await avow.recordLapses()).toEqual({ [SITE]: 1 })
    expect(await stateIn(state(secret))).toBe('lapsed')
  })

  test('a clock that jumps ahead, and stays there, ends nothing before its time', async () => {
    const world = await testWorld()
    const { clock, pass, avow } = world
    await granted(world)
    clock.now += 400 * DAY_MS
    for (let days = 0; days < 30; days++) {
      expect(await avow.recordLapses()).toEqual({ [SITE]: 0 })
      await pass(DAY_MS)
    }
    expect(await avow.recordLapses()).toEqual({ [SITE]: 1 })
  })

  test('a server was there on each day of the term, and today', () => {
    const days = [10, 11, 12, 20, 21, 22, 23]
    expect(lapsedUntil(days, 3, 23)).toBe(19)
    expect(lapsedUntil(days, 4, 23)).toBe(null)
    expect(lapsedUntil(days, 3, 24)).toBe(null)
    // What lies ahead, where the clock was set back, says nothing.
    expect(lapsedUntil(days, 2, 12)).toBe(9)
    expect(lapsedUntil([], 1, 12)).toBe(null)
  })
})

test('a refusal, a withdrawal and a visitor without a record keep no day, and never lapse', async () => {
  const world = await testWorld()
  const { clock, pass, avow, submission, post, activity, storage } = world
  const denied = { choices: { analytics: false } }
  await post(submission({ action: 'reject-all', ...denied }))
  const { secret } = await granted(world)
  await activity(submission().secret)
  clock.now += 1000
  await post(submission({ action: 'withdraw', secret, ...denied }))
  await activity(secret)
  const { log } = await storage.openLog(SITE, null)
  await avow.recordLapses()
  // The day of the grant, which is dropped when it is due.
  expect((await log.idle(Number.MAX_SAFE_INTEGER, 10)).length).toBe(1)
  await pass(40 * DAY_MS)
  expect(await avow.recordLapses()).toEqual({ [SITE]: 0 })
  expect(await log.idle(Number.MAX_SAFE_INTEGER, 10)).toEqual([])
})

test('the term is the policy’s', async () => {
  const world = await testWorld({ policy: testPolicy({ inactivityDays: 3 }) })
  await granted(world)
  await world.pass(3 * DAY_MS)
  expect(await world.avow.recordLapses()).toEqual({ [SITE]: 0 })
  await world.pass(DAY_MS)
  expect(await world.avow.recordLapses()).toEqual({ [SITE]: 1 })
})

test('with all that was recorded of somebody their last day is erased, also one that was about to be written', async () => {
  const world = await testWorld()
  const { pass, avow, activity, erase, storage } = world
  const { secret } = await granted(world)
  const [{ index }] = await historyOf(world, secret)
  await avow.recordLapses()
  await pass(DAY_MS)
  await activity(secret)
  await erase('erase', index)
  await avow.recordLapses()
  const { log } = await storage.openLog(SITE, null)
  expect(await log.idle(Number.MAX_SAFE_INTEGER, 10)).toEqual([])
  await pass(40 * DAY_MS)
  expect(await avow.recordLapses()).toEqual({ [SITE]: 0 })
})

test('what was seen last is kept when the server stops', async () => {
  const storage = createMemoryStorage()
  const world = await testWorld({ storage })
  await granted(world)
  await world.avow.close()
  const { log } = await storage.openLog(SITE, null)
  expect(await log.idle(Number.MAX_SAFE_INTEGER, 10)).toHaveLength(1)
})

test('nobody can tell a lapse from a choice by what the log shows, and evidence of it verifies', async () => {
  const world = await testWorld()
  const { pass, avow, storage, audit, key } = world
  const { secret } = await granted(world)
  await pass(40 * DAY_MS)
  await avow.recordLapses()
  const records = await historyOf(world, secret)
  const { log } = await storage.openLog(SITE, null)
  const [grant, lapse] = await Promise.all(
    records.map(async ({ index }: { index: number }) => (await log.entries(index, index + 1))[0]!),
  )
  expect(lapse!.entry.length).toBe(grant!.entry.length)
  expect(lapse!.sealed.map(({ length }: Uint8Array) => length)).toEqual(
    grant!.sealed.map(({ length }: Uint8Array) => length),
  )
  const bundle = await (await audit(`/subjects/${subjectOf(SITE, secret)}/evidence`, key)).json()
  expect(verifyBundle(bundle, avow.vkey(SITE)).records).toHaveLength(2)
})
