import type { RecordedDecision, StateAnswer } from '@avow/sdk/wire'
import { describe, expect, test } from 'vitest'
import { subjectOf } from '../consent/record.js'
import { createTestKey, signToken } from '../middleware/test-tokens.js'
import { createMemoryStorage } from '../storage/memory.js'
import { PAGE_ORIGIN, SITE, testPolicy, testWorld } from '../testing.js'
import { verifyProofFile } from '../verify/proof.js'

const HOUR_MS = 3_600_000
const denied = { action: 'reject-all', choices: { analytics: false } }
const withdrawn = { action: 'withdraw', choices: { analytics: false }, layer: 'settings' }

async function answerIn(response: Response): Promise<StateAnswer> {
  expect([response.status, response.headers.get('cache-control')]).toEqual([200, 'no-store'])
  return response.json() as Promise<StateAnswer>
}

async function expectProblem(response: Response, status: number, code: string) {
  const text = await response.text()
  expect(JSON.parse(text)).toMatchObject({ status, code })
  return text
}

/** What `world` would say to a device that takes over `decision`, as the SDK does it. */
const linkOf = ({ choices, decidedAt }: RecordedDecision) => ({
  ...{ action: 'link', layer: 'api', offered: [], choices, decidedAt },
})

type World = Awaited<ReturnType<typeof testWorld>>

/** Records for whoever is signed in; answers the secret. */
async function record({ submission, post, signedIn }: World, account: string, more: Record<string, unknown> = {}) {
  const sent = submission(more)
  expect((await post(sent, await signedIn(account))).status).toBe(201)
  return sent
}

describe('what a browser is told of its own choice', () => {
  test('is the choice that counts, all that were made, and the id that the privacy team finds them by', async () => {
    const { clock, submission, post, state, notice } = await testWorld()
    const grant = submission({ gpc: true })
    await post(grant)
    clock.now += 5000
    const withdrawal = submission({ ...withdrawn, secret: grant.secret, previous: grant.id })
    await post(withdrawal)
    const answer = await answerIn(await state(grant.secret))
    expect(answer).toMatchObject({ subject: subjectOf(SITE, grant.secret), account: null, state: 'withdrawn' })
    expect(answer.history.map(({ id, action }) => [id, action])).toEqual([
      [grant.id, 'accept-all'],
      [withdrawal.id, 'withdraw'],
    ])
    expect(answer.decision).toEqual(answer.history[1])
    expect(answer.history[0]).toEqual({
      ...{ id: grant.id, action: 'accept-all', choices: { analytics: true }, layer: 'banner', gpc: true },
      ...{ policy: notice.policy, notice: { hash: notice.hash, language: 'en' } },
      ...{ decidedAt: grant.decidedAt, recordedAt: new Date(clock.now - 5000).toISOString() },
      validUntil: new Date(Date.parse(grant.decidedAt) + 180 * 24 * HOUR_MS).toISOString(),
    })
  })

  test('A browser can’t read or change another subject’s state: without the secret every read is 404, and ids are not enumerable.', async () => {
    const { submission, post, state, avow, clock } = await testWorld()
    const grant = submission()
    const { subject, id } = await (await post(grant)).json()
    const unknown = await expectProblem(await state(submission().secret), 404, 'not-found')
    // Whatever else there is to know of it, and nothing at all, is answered as a secret is that was never seen.
    for (const shown of [null, subject, subject.slice(0, 22), id, grant.secret.slice(0, 21), `${grant.secret}A`, ''])
      expect(await expectProblem(await state(shown), 404, 'not-found'), String(shown)).toBe(unknown)
    for (const authorization of [`Bearer ${grant.secret}`, `avow ${grant.secret}`, grant.secret, 'Avow'])
      expect(await expectProblem(await state(null, { authorization }), 404, 'not-found')).toBe(unknown)
    for (const more of [`&subject=${subject}`, `&secret=${grant.secret}`, `&id=${id}`])
      expect((await avow.app.request(`/v1/state?site=${SITE}${more}`)).status).toBe(422)
    for (const path of [`/v1/state/${subject}`, `/v1/audit/subjects/${subject}`, `/v1/consents/${id}`])
      expect([401, 404]).toContain((await avow.app.request(path)).status)

    // Nor can its state be changed by who knows the ids alone.
    clock.now += 1000
    const taken = submission({ ...withdrawn, previous: id })
    await expectProblem(await post(taken), 422, 'invalid-input')
    await expectProblem(await post(submission({ ...withdrawn, id })), 409, 'conflict')
    await post(submission({ ...withdrawn }))
    expect(await answerIn(await state(grant.secret))).toMatchObject({ state: 'granted', history: [{ id }] })
  })

  test('is told to the pages of the site alone, and for a site that is here', async () => {
    const { submission, post, state } = await testWorld()
    const { secret } = submission()
    await post(submission({ secret }))
    expect((await state(secret, { origin: PAGE_ORIGIN })).status).toBe(200)
    await expectProblem(await state(secret, { origin: 'https://evil.example' }), 403, 'origin-refused')
    await expectProblem(await state(secret, {}, 'nobody'), 404, 'not-found')
    await expectProblem(await state(secret, {}, ''), 422, 'invalid-input')
  })

  test('says nothing of the account that somebody was signed in to', async () => {
    const world = await testWorld()
    const { secret } = await record(world, 'ann@shop.example')
    const response = await world.state(secret)
    expect(await response.clone().text()).not.toContain('ann@')
    expect(await answerIn(response)).toMatchObject({ account: null, state: 'granted' })
  })
})

describe('an account', () => {
  test('is recorded, sealed, with each submission that its token comes with, and shown to the privacy team', async () => {
    const world = await testWorld()
    const { audit, consent, avow } = world
    const { id, secret } = await record(world, 'ann@shop.example')
    const { id: other } = await consent()
    expect((await (await audit(`/records/${id}`)).json()).record.account).toBe('ann@shop.example')
    expect((await (await audit(`/records/${other}`)).json()).record.account).toBeNull()
    const evidence = await (await audit(`/subjects/${subjectOf(SITE, secret)}/evidence`)).json()
    expect(evidence.records[0].identity.account).toBe('ann@shop.example')
    const entries = await (await avow.app.request(`/log/${SITE}/tile/entries/000.p/5`)).text()
    expect(entries).not.toContain('ann@')
  })

  test('is the same on each of its devices, and called by a name that is not its own', async () => {
    const world = await testWorld()
    await record(world, 'ann@shop.example')
    const { state, signedIn } = world
    const first = await state(null, await signedIn('ann@shop.example'))
    expect(await first.clone().text()).not.toContain('ann@')
    const { account, subject } = await answerIn(first)
    expect([account, subject]).toEqual([expect.stringMatching(/^[\w-]{22}$/), null])
    expect((await answerIn(await state(null, await signedIn('ann@shop.example')))).account).toBe(account)
    expect((await answerIn(await state(null, await signedIn('bob@shop.example')))).account).not.toBe(account)
    // Nor is it what the vault finds the account by.
    const { log } = await world.storage.openLog(SITE, null)
    const kept = (await log.vaultRow(3))?.account
    expect(account).not.toBe(Buffer.from(kept!).toString('base64url'))
  })

  test('that nothing was chosen under is undecided', async () => {
    const world = await testWorld()
    const { secret } = await record(world, 'bob')
    const answer = await answerIn(await world.state(secret, await world.signedIn('ann')))
    expect(answer).toEqual({
      ...{ subject: subjectOf(SITE, secret), account: answer.account, state: 'undecided' },
      ...{ decision: null, history: [] },
    })
  })

  test('A signed-in refuser is not asked again on a second device: the refusal is answered to it, and to whom it takes over.', async () => {
    const world = await testWorld()
    const { clock, state, signedIn, submission, post } = world
    // A refusal's secret is thrown away: nothing but the account finds it.
    const refusal = await record(world, 'ann', denied)
    clock.now += 100 * 24 * HOUR_MS
    const told = await answerIn(await state(null, await signedIn('ann')))
    expect(told).toMatchObject({ state: 'refused', decision: { id: refusal.id, choices: { analytics: false } } })
    const link = submission(linkOf(told.decision!))
    expect(await (await post(link, await signedIn('ann'))).json()).toMatchObject({ state: 'refused' })
    const again = await answerIn(await state(null, await signedIn('ann')))
    // Taking it over made it no newer: it is honoured for as long as it would have been.
    expect(again).toMatchObject({ state: 'refused', decision: { id: refusal.id } })
    expect(again.history.map(({ validUntil }) => validUntil)).toEqual([
      told.decision!.validUntil,
      told.decision!.validUntil,
    ])
    expect(again.history[1]).toMatchObject({ action: 'link', layer: 'api', decidedAt: refusal.decidedAt })
  })

  test('has one history over all its devices, and what was withdrawn on one is withdrawn', async () => {
    const world = await testWorld()
    const { clock, state, signedIn } = world
    const grant = await record(world, 'ann')
    clock.now += HOUR_MS
    await record(world, 'bob')
    const withdrawal = await record(world, 'ann', withdrawn)
    const answer = await answerIn(await state(grant.secret, await signedIn('ann')))
    expect(answer).toMatchObject({ state: 'withdrawn', decision: { id: withdrawal.id } })
    expect(answer.history.map(({ id }) => id)).toEqual([grant.id, withdrawal.id])
    // Of the one device alone it still stands as it was made.
    expect(await answerIn(await state(grant.secret))).toMatchObject({ state: 'granted' })
  })

  test('is not granted anew by a device that took a grant over, was offline, and tells of it after the withdrawal', async () => {
    const world = await testWorld()
    const { clock, state, signedIn, submission, post } = world
    // The clock that grants is 20 hours ahead.
    await record(world, 'ann', { decidedAt: new Date(clock.now + 20 * HOUR_MS).toISOString() })
    const { decision } = await answerIn(await state(null, await signedIn('ann')))
    const link = submission(linkOf(decision!))
    clock.now += HOUR_MS
    await record(world, 'ann', withdrawn)
    clock.now += 72 * HOUR_MS
    await post({ ...link, ageMs: 73 * HOUR_MS }, await signedIn('ann'))
    expect(await answerIn(await state(null, await signedIn('ann')))).toMatchObject({ state: 'withdrawn' })
  })

  test('A browser clock 20 h ahead can’t make a grant beat a later withdrawal, on whichever device that is made.', async () => {
    const world = await testWorld()
    const { clock, state, signedIn } = world
    await record(world, 'ann', { decidedAt: new Date(clock.now + 20 * HOUR_MS).toISOString() })
    clock.now += 60_000
    const withdrawal = await record(world, 'ann', withdrawn)
    const answer = await answerIn(await state(null, await signedIn('ann')))
    expect(answer).toMatchObject({ state: 'withdrawn', decision: { id: withdrawal.id } })
  })

  test('of a clock that is off by years is told with times that another device can use', async () => {
    const world = await testWorld()
    await record(world, 'ann', { decidedAt: '2031-01-01T00:00:00.000Z' })
    const { decision } = await answerIn(await world.state(null, await world.signedIn('ann')))
    expect(decision?.decidedAt).toBe(decision?.recordedAt)
  })

  test('The other account on a shared device inherits nothing, neither by the secret nor by what it sends.', async () => {
    const world = await testWorld()
    const { clock, state, signedIn, submission, post } = world
    const { secret, id } = await record(world, 'ann')
    clock.now += 1000
    const bobs = await answerIn(await state(secret, await signedIn('bob')))
    expect(bobs).toMatchObject({ state: 'undecided', decision: null, history: [] })
    // Even under the same secret, what bob does is bob's, and ann's account stands as it was.
    await post(submission({ ...denied, secret }), await signedIn('bob'))
    expect(await answerIn(await state(null, await signedIn('ann')))).toMatchObject({
      state: 'granted',
      history: [{ id }],
    })
    expect(await answerIn(await state(null, await signedIn('bob')))).toMatchObject({ state: 'refused' })
    // Signed out, the device has a secret of its own, which neither of them has anything under.
    expect((await state(submission().secret)).status).toBe(404)
  })

  test('is not told by a receipt that is asked for again without its token, or with another’s', async () => {
    const world = await testWorld()
    const { avow, post, signedIn } = world
    const sent = await record(world, 'ann@shop.example')
    const receiptFor = async (headers: Record<string, string>) => {
      const response = await post(sent, headers)
      expect(response.status).toBe(200)
      const { receipt } = await response.json()
      const [, extra] = /^extra (.*)$/m.exec(receipt)!
      const { evidence, identity } = verifyProofFile(receipt, avow.vkey(SITE))
      expect(evidence).toMatchObject({ choices: { analytics: true } })
      return { identity, text: Buffer.from(extra!, 'base64').toString() }
    }
    expect((await receiptFor(await signedIn('ann@shop.example'))).identity).toMatchObject({ id: sent.id })
    for (const headers of [{}, await signedIn('bob')]) {
      const { identity, text } = await receiptFor(headers)
      expect(identity).toBeNull()
      expect(text).not.toContain('ann@')
    }
  })

  test('by a token that is bad, or of a host that the site doesn’t know, is refused, and nothing is written', async () => {
    const world = await testWorld()
    const { clock, state, post, submission, signedIn, audit } = world
    const stranger = createTestKey('ES256', 'host')
    const stale = await signedIn('ann')
    clock.now += 301_000
    const foreign = { 'avow-account': await signToken(stranger, SITE, 'ann', clock.now) }
    for (const headers of [stale, foreign, { 'avow-account': 'x' }, { 'avow-account': '' }]) {
      const response = await post(submission(), headers)
      expect(response.headers.get('www-authenticate')).toBe('Avow realm="account"')
      await expectProblem(response, 401, 'account-refused')
      await expectProblem(await state(null, headers), 401, 'account-refused')
      await expectProblem(await state(submission().secret, headers), 401, 'account-refused')
    }
    expect((await (await audit('/records')).json()).records).toEqual([])
    // Sent again without it, as a browser does, it is recorded as nobody's.
    expect((await post(submission())).status).toBe(201)
  })

  test('is refused by a site that has no keys for it', async () => {
    const site = { site: SITE, policy: testPolicy(), origins: [PAGE_ORIGIN], publicLog: true }
    const { post, submission, signedIn, state } = await testWorld({ sites: [site] })
    const text = await expectProblem(await post(submission(), await signedIn('ann')), 401, 'account-refused')
    expect(text).toMatch(/set its accountKeys/)
    await expectProblem(await state(null, await signedIn('ann')), 401, 'account-refused')
  })

  test('of one site is nothing to another, also where the host signs for both with one key', async () => {
    const key = createTestKey('ES256')
    const sites = [SITE, 'other'].map((site) => ({
      ...{ site, policy: testPolicy(), origins: [`https://${site}.example`], publicLog: true },
      accountKeys: { keys: [key.jwk] },
    }))
    const { clock, post, submission, state } = await testWorld({ sites })
    const tokenFor = async (site: string) => ({ 'avow-account': await signToken(key, site, 'ann', clock.now) })
    await post(submission(), await tokenFor(SITE))
    expect((await answerIn(await state(null, await tokenFor(SITE)))).state).toBe('granted')
    const other = async (token: Record<string, string>) =>
      state(null, { ...token, origin: 'https://other.example' }, 'other')
    await expectProblem(await other(await tokenFor(SITE)), 401, 'account-refused')
    expect((await answerIn(await other(await tokenFor('other')))).state).toBe('undecided')
  })

  test('A submission repeated after erasure answers 410 and re-creates nobody, under no account either.', async () => {
    const world = await testWorld()
    const { post, signedIn, state, storage } = world
    const { log } = await storage.openLog(SITE, null)
    for (const grade of ['unlink', 'erase'] as const) {
      const sent = await record(world, 'ann')
      const { size } = await log.head()
      await log.forget([{ index: size - 1, grade, secrets: new Uint8Array(0) }])
      for (const headers of [{}, await signedIn('ann'), await signedIn('bob')])
        await expectProblem(await post(sent, headers), 410, 'erased')
      await expectProblem(await state(sent.secret), 404, 'not-found')
      for (const account of ['ann', 'bob'])
        expect(await answerIn(await state(null, await signedIn(account)))).toMatchObject({
          ...{ state: 'undecided', history: [] },
        })
      expect((await log.head()).size).toBe(size)
    }
  })

  test('that was not signed in when something was recorded gets it by no repetition', async () => {
    const { post, submission, signedIn, state } = await testWorld()
    const sent = submission()
    await post(sent)
    expect((await post(sent, await signedIn('ann'))).status).toBe(200)
    expect(await answerIn(await state(null, await signedIn('ann')))).toMatchObject({ state: 'undecided' })
  })
})

test('an account has one history over all epochs of the log, and so has a subject', async () => {
  const storage = createMemoryStorage()
  const first = await testWorld({ storage })
  const grant = await record(first, 'ann')
  await first.beginEpoch()
  const world = await testWorld({ storage })
  world.clock.now += HOUR_MS
  world.submission() // Its id is that of the first of the other world.
  const withdrawal = await record(world, 'ann', { ...withdrawn, secret: grant.secret, previous: grant.id })
  for (const headers of [await world.signedIn('ann'), {}]) {
    const answer = await answerIn(await world.state(grant.secret, headers))
    expect(answer).toMatchObject({ state: 'withdrawn', decision: { id: withdrawal.id } })
    expect(answer.history.map(({ id }) => id)).toEqual([grant.id, withdrawal.id])
  }
})

test('a choice is superseded, and lapses, for an account as for a subject', async () => {
  const storage = createMemoryStorage()
  const world = await testWorld({ storage })
  await record(world, 'ann')
  const later = await testWorld({ storage, policy: testPolicy({ version: '2026-06' }) })
  const stateIn = async ({ state, signedIn }: World) => (await answerIn(await state(null, await signedIn('ann')))).state
  expect(await stateIn(later)).toBe('superseded')
  world.clock.now += 180 * 24 * HOUR_MS
  expect(await stateIn(world)).toBe('lapsed')
})
