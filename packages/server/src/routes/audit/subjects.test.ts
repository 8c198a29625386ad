import path from 'node:path'
import Database from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import { subjectOf } from '../../consent/record.js'
import { decodeBase64url } from '../../ledger/base64.js'
import { commit } from '../../ledger/commitment.js'
import { createMemoryStorage } from '../../storage/memory.js'
import { openSqliteStorage } from '../../storage/sqlite.js'
import { testFolder } from '../../test-folder.js'
import { SITE, testPolicy, testWorld, uuidv7 } from '../../testing.js'
import type { Place } from './ground.js'
import { verifyPlace } from './test-proofs.js'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

type World = Awaited<ReturnType<typeof testWorld>>

interface Ground extends Place {
  parts: Record<string, Record<string, unknown>>
  secrets: Record<string, string>
}

const iso = (at: number) => new Date(at).toISOString()
const denied = { action: 'withdraw', choices: { analytics: false } }

async function answerIn(response: Response) {
  expect(response.status).toBe(200)
  return response.json()
}

/** Checks all that an answer rests on, with the public key alone; answers what the entries say. */
function verifyGrounds({ avow }: World, grounds: readonly Ground[]) {
  return grounds.map(({ parts, secrets, ...place }) => {
    const said = verifyPlace(place, avow.vkey(SITE))
    expect(Object.keys(parts)).toEqual(Object.keys(secrets))
    for (const [name, part] of Object.entries(parts))
      expect(commit(name as 'body', decodeBase64url(secrets[name]!), part)).toBe(said[name])
    return { ...said, ...parts }
  })
}

const asked = ({ audit, key }: World, subject: string, at: number | null = null, more: Record<string, string> = {}) =>
  audit(`/subjects/${subject}${at === null ? '' : `?asOf=${iso(at)}`}`, key, more)

describe('what a subject has chosen', () => {
  test('is told for any instant, with the reason, what stood, and entries that prove it', async () => {
    const world = await testWorld()
    const { clock, submission, post } = world
    const { secret, id } = submission()
    const subject = subjectOf(SITE, secret)
    const grantedAt = clock.now
    await post(submission({ secret, id, decidedAt: iso(grantedAt - 500), ageMs: 500 }))
    clock.now += DAY_MS
    const withdrawnAt = clock.now
    await post(submission({ secret, previous: id, ...denied }))
    clock.now += DAY_MS

    const before = await answerIn(await asked(world, subject, grantedAt - 501))
    expect(before).toMatchObject({
      ...{ subject, asOf: iso(grantedAt - 501), state: 'undecided', choices: null, records: [], restsOn: [] },
      reason: { code: 'no-choice' },
    })
    // A grant counts since it was made.
    for (const at of [grantedAt - 500, withdrawnAt - 1]) {
      const granted = await answerIn(await asked(world, subject, at))
      expect(granted).toMatchObject({
        state: 'granted',
        reason: { code: 'grant-stands' },
        choices: { analytics: true },
      })
      expect(granted.records).toMatchObject([{ id, decidedAt: iso(grantedAt - 500), recordedAt: iso(grantedAt) }])
      expect(verifyGrounds(world, granted.restsOn)).toMatchObject([
        { type: 'consent', identity: { id, subject }, evidence: { choices: { analytics: true } } },
      ])
    }
    for (const at of [withdrawnAt, null]) {
      const withdrawn = await answerIn(await asked(world, subject, at))
      expect(withdrawn).toMatchObject({
        ...{ state: 'withdrawn', reason: { code: 'denied-after-grant' }, choices: null },
        records: [{ id }, { action: 'withdraw' }],
      })
      expect(verifyGrounds(world, withdrawn.restsOn)).toMatchObject([
        { evidence: { action: 'withdraw' } },
        { identity: { id } },
      ])
    }
  })

  test('was granted until a material version was published, and superseded since, by its entry', async () => {
    const storage = createMemoryStorage()
    const world = await testWorld({ storage })
    const { subject } = await world.consent()
    let now = world.clock.now
    const publish = async (version: string, material: boolean) => {
      now += DAY_MS
      const at = now
      return { at, ...(await testWorld({ storage, now: () => at, policy: testPolicy({ version, material }) })) }
    }
    const editorial = await publish('2026-05', false)
    const material = await publish('2026-06', true)
    const later = await publish('2026-07', true)
    expect((await answerIn(await asked(later, subject, editorial.at))).state).toBe('granted')
    expect((await answerIn(await asked(later, subject, material.at - 1))).state).toBe('granted')
    for (const at of [material.at, later.at, null]) {
      const answer = await answerIn(await asked(later, subject, at))
      expect(answer).toMatchObject({ state: 'superseded', reason: { code: 'policy-replaced' }, choices: null })
      expect(verifyGrounds(later, answer.restsOn)).toMatchObject([
        { type: 'consent', evidence: { policy: { version: '2026-04' } } },
        { type: 'policy', version: '2026-06' },
      ])
    }
    // Gone back to, it stands again; that it was replaced meanwhile stays true.
    const back = await testWorld({ storage, now: () => later.at + 1 })
    expect(await answerIn(await asked(back, subject))).toMatchObject({ state: 'granted' })
    expect((await answerIn(await asked(back, subject, material.at))).state).toBe('superseded')
  })

  test('of a policy whose time an earlier release did not keep, was superseded when surely it was logged', async () => {
    const folder = testFolder()
    const first = await testWorld({ storage: await openSqliteStorage(folder) })
    const { subject } = await first.consent()
    await first.avow.close()
    const policy = testPolicy({ version: '2026-06' })
    const published = first.clock.now + DAY_MS
    const next = published + DAY_MS
    let now = published
    const second = await testWorld({ storage: await openSqliteStorage(folder), policy, now: () => now })
    now = next
    await second.consent({ id: uuidv7(next, 50) })
    await second.avow.close()
    const db = new Database(path.join(folder, 'ledger.db'))
    db.exec('UPDATE documents SET recorded_at = NULL')
    db.close()
    const world = await testWorld({ storage: await openSqliteStorage(folder), policy, now: () => next })
    const states = await Promise.all(
      [published, next - 1, next].map(async (at) => (await answerIn(await asked(world, subject, at))).state),
    )
    expect(states).toEqual(['granted', 'granted', 'superseded'])
    await world.avow.close()
  })

  test('lapsed when the server recorded it, and by its term at the very instant that is over', async () => {
    const world = await testWorld()
    const { clock, pass, avow, submission, post, activity } = world
    const { secret, decidedAt } = submission()
    const subject = subjectOf(SITE, secret)
    await post(submission({ secret, decidedAt }))
    const end = Date.parse(decidedAt) + 180 * DAY_MS
    while (clock.now + 20 * DAY_MS < end) {
      clock.now += 20 * DAY_MS
      await activity(secret)
    }
    clock.now = end
    expect((await answerIn(await asked(world, subject, end - 1))).state).toBe('granted')
    expect(await answerIn(await asked(world, subject, end))).toMatchObject({
      state: 'lapsed',
      reason: { code: 'too-old' },
    })
    await pass(31 * DAY_MS)
    await avow.recordLapses()
    const answer = await answerIn(await asked(world, subject))
    expect(answer).toMatchObject({ state: 'lapsed', reason: { code: 'no-activity' } })
    expect(verifyGrounds(world, answer.restsOn)).toMatchObject([
      { evidence: { action: 'lapse' } },
      { evidence: { action: 'accept-all' } },
    ])
    expect((await answerIn(await asked(world, subject, clock.now - 1))).reason.code).toBe('too-old')
  })

  test('is as well known of what an earlier epoch has', async () => {
    const storage = createMemoryStorage()
    const first = await testWorld({ storage })
    const { secret } = first.submission()
    await first.post(first.submission({ secret }))
    await first.avow.close()
    await first.beginEpoch()
    const world = await testWorld({ storage })
    expect((await answerIn(await asked(world, subjectOf(SITE, secret), first.clock.now))).state).toBe('granted')
    await world.pass(40 * DAY_MS)
    expect(await world.avow.recordLapses()).toEqual({ [SITE]: 1 })
    const answer = await answerIn(await asked(world, subjectOf(SITE, secret)))
    expect(answer).toMatchObject({ state: 'lapsed', records: [{ log: SITE }, { log: `${SITE}.e2` }] })
    expect(answer.restsOn.map(({ log }: Ground) => log)).toEqual([`${SITE}.e2`, SITE])
  })
})

describe('an account', () => {
  test('is looked up by a header, on all its devices, with characters of any language', async () => {
    const world = await testWorld()
    const { clock, submission, post, signedIn, audit, key } = world
    const account = 'zoë/ж'
    const [one, two] = [submission(), submission()]
    await post(one, await signedIn(account))
    clock.now += HOUR_MS
    await post({ ...two, ...denied, decidedAt: iso(clock.now) }, await signedIn(account))
    await world.consent()
    const header = { 'avow-subject-account': Buffer.from(account).toString('latin1') }
    const answer = await answerIn(await audit('/subjects', key, header))
    expect(answer).toMatchObject({
      subject: null,
      state: 'withdrawn',
      records: [{ id: one.id, account }, { id: two.id }],
    })
    const earlier = await answerIn(await audit(`/subjects?asOf=${iso(clock.now - 1)}`, key, header))
    expect(earlier).toMatchObject({ state: 'granted', records: [{ id: one.id }] })
    // And is in the access log as the index that the vault finds it by.
    const reader = await world.avow.keys.create({ name: 'auditor', site: SITE, scopes: ['access:read'] })
    const { accesses } = await answerIn(await audit('/access-log', reader))
    expect(accesses[1].filters.account).toMatch(/^[\w-]{22}$/)
    expect(JSON.stringify(accesses)).not.toContain('zo')
  })

  test('that nobody recorded is 404, and one that can be none is refused by the header’s name', async () => {
    const { audit, key } = await testWorld()
    const code = async (headers: Record<string, string>, query = '') => {
      const response = await audit(`/subjects${query}`, key, headers)
      const { field, code } = await response.json()
      return [response.status, code, field]
    }
    expect(await code({ 'avow-subject-account': 'nobody' })).toEqual([404, 'not-found', 'avow-subject-account'])
    for (const account of [undefined, '', 'x'.repeat(257)])
      expect(await code(account === undefined ? {} : { 'avow-subject-account': account })).toEqual([
        ...[422, 'invalid-input', 'avow-subject-account'],
      ])
    const record = '?record=01890000-0000-7000-8000-000000000000'
    expect(await code({ 'avow-subject-account': 'ann' }, record)).toEqual([422, 'invalid-input', 'record'])
    expect(await code({}, record)).toEqual([404, 'not-found', 'record'])
    expect(await code({}, '?record=1')).toEqual([422, 'invalid-input', 'record'])
  })
})

describe('by the id of a record', () => {
  test('its subject is told, at any instant', async () => {
    const world = await testWorld()
    const { id, subject } = await world.consent()
    const answer = await answerIn(await world.audit(`/subjects?record=${id}`))
    expect(answer).toEqual({ ...(await answerIn(await asked(world, subject))), log: answer.log })
  })

  test('what was erased is told as erased, with its tombstone; of what was unlinked, not where it is', async () => {
    const world = await testWorld()
    const { audit, erase, consent } = world
    const [gone, apart, kept] = [await consent(), await consent(), await consent()]
    await erase('erase', gone.index)
    await erase('unlink', apart.index)
    await consent()
    const erased = await answerIn(await audit(`/subjects?record=${gone.id}`))
    expect(erased).toMatchObject({
      subject: null,
      state: 'erased',
      reason: { code: 'erased' },
      records: [],
      choices: null,
    })
    expect(verifyGrounds(world, erased.restsOn)).toMatchObject([
      { type: 'tombstone', body: { grade: 'erase', index: gone.index, ground: 'request' } },
    ])
    // What it said at some instant is not known any more either.
    const earlier = await answerIn(await audit(`/subjects?record=${gone.id}&asOf=2020-01-01T00:00:00Z`))
    expect(earlier.state).toBe('erased')
    const unlinked = await answerIn(await audit(`/subjects?record=${apart.id}`))
    expect(unlinked).toMatchObject({ state: 'erased', reason: { code: 'unlinked' }, restsOn: [] })
    // By the subject there is nothing to be found.
    for (const { subject } of [gone, apart]) {
      const response = await asked(world, subject)
      expect([response.status, (await response.json()).field]).toEqual([404, 'subject'])
    }
    expect((await asked(world, kept.subject)).status).toBe(200)
  })

  test('of somebody of whom something is left, what is left is all that is told', async () => {
    const world = await testWorld()
    const { clock, submission, post, erase, consent } = world
    const { secret } = submission()
    const first = await (await post(submission({ secret }))).json()
    clock.now += HOUR_MS
    await post(submission({ secret, ...denied }))
    await erase('erase', first.index)
    await consent()
    expect(await answerIn(await asked(world, subjectOf(SITE, secret)))).toMatchObject({
      ...{ state: 'refused', records: [{ action: 'withdraw' }] },
    })
  })
})

test('parameters that are unknown, no instant, or in the future are refused by name', async () => {
  const world = await testWorld()
  const { subject } = await world.consent()
  const refused = async (path: string) => {
    const response = await world.audit(path, world.key, { 'avow-subject-account': 'ann' })
    return [response.status, (await response.json()).field]
  }
  const instants = ['', 'yesterday', '2026-03-03', '2026-02-30T00:00:00Z', '2026-03-03T12:00:00+01:00', '1700000000']
  for (const path of [`/subjects/${subject}`, '/subjects']) {
    for (const at of [...instants, iso(world.clock.now + 1)])
      expect([at, ...(await refused(`${path}?asOf=${encodeURIComponent(at)}`))]).toEqual([at, 422, 'asOf'])
    expect(await refused(`${path}?asOf=${iso(0)}&asOf=${iso(1)}`)).toEqual([422, 'asOf'])
    expect(await refused(`${path}?as_of=${iso(0)}`)).toEqual([422, 'as_of'])
  }
  expect((await asked(world, subject, world.clock.now)).status).toBe(200)
  // Nothing is known of before the log began: that is no fault of the question.
  expect((await answerIn(await asked(world, subject, 0))).state).toBe('undecided')
})
