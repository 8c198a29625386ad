import { describe, expect, test } from 'vitest'
import { SCOPES } from './access/caller.js'
import { hashDocument } from './consent/document.js'
import type { PageOptions } from './consent/page-options.js'
import type { Policy } from './consent/policy.js'
import { subjectOf } from './consent/record.js'
import { createMemoryEscrow } from './ledger/escrow.js'
import { createMemoryStorage } from './storage/memory.js'
import { UnavailableError } from './storage/storage.js'
import { PAGE_ORIGIN, SITE, testPolicy, testWorld, uuidv7 } from './testing.js'
import { verifyBundle } from './verify/bundle.js'
import { verifyProofFile } from './verify/proof.js'

/** Checks that an answer is a problem with this status and code, and that it repeats nothing of `secret`. */
async function expectProblem(response: Response, status: number, code: string, field?: string) {
  expect([response.status, response.headers.get('content-type')]).toEqual([status, 'application/problem+json'])
  const problem = await response.json()
  expect(problem).toMatchObject({ status, code, ...(field === undefined ? {} : { field }) })
  return problem
}

describe('a submission', () => {
  test('is answered 201 with a receipt that verifies, under the subject of its secret', async () => {
    const { avow, post, submission } = await testWorld()
    const sent = submission()
    const response = await post(sent)
    expect(response.status).toBe(201)
    const answer = await response.json()
    expect(answer).toMatchObject({ id: sent.id, state: 'granted', subject: subjectOf(SITE, sent.secret) })
    const receipt = verifyProofFile(answer.receipt, avow.vkey(SITE))
    expect(receipt.index).toBe(answer.index)
    expect(receipt.evidence).toMatchObject({ action: 'accept-all', choices: { analytics: true } })
  })

  test('sent again is answered 200 with the same record, whatever its age says by then', async () => {
    const { avow, clock, post, submission } = await testWorld()
    const sent = submission()
    const first = await (await post(sent)).json()
    clock.now += 60_000
    const again = await post({ ...sent, ageMs: 60_040 })
    expect(again.status).toBe(200)
    const answer = await again.json()
    expect(answer).toMatchObject({ index: first.index, recordedAt: first.recordedAt, subject: first.subject })
    expect(verifyProofFile(answer.receipt, avow.vkey(SITE)).index).toBe(first.index)
  })

  test('with the id of another one is a conflict', async () => {
    const { post, submission } = await testWorld()
    const sent = submission()
    await post(sent)
    await expectProblem(await post(submission({ id: sent.id })), 409, 'conflict', 'id')
  })

  test('records granted and denied, both times, the notice, and how long it is valid', async () => {
    const { clock, submission, post, audit, notice } = await testWorld()
    const sent = submission({ action: 'reject-all', choices: { analytics: false }, gpc: true })
    await post(sent)
    const { record } = await (await audit(`/records/${sent.id}`)).json()
    expect(record).toMatchObject({
      action: 'reject-all',
      choices: { analytics: false },
      decidedAt: sent.decidedAt,
      recordedAt: new Date(clock.now).toISOString(),
      notice: { hash: notice.hash, language: 'en' },
      clock: 'ok',
      gpc: true,
      validUntil: new Date(Date.parse(sent.decidedAt) + 180 * 86_400_000).toISOString(),
    })
  })

  test('of a browser whose clock is off by years is taken, marked, and counted by the server’s clock', async () => {
    const { submission, post, audit } = await testWorld()
    const sent = submission({ decidedAt: '2031-01-01T00:00:00.000Z' })
    expect((await post(sent)).status).toBe(201)
    const { record } = await (await audit(`/records/${sent.id}`)).json()
    expect(record.clock).toBe('implausible')
    expect(record.validUntil < '2028').toBe(true)
  })

  test('sent three days late keeps the browser’s time of deciding beside the server’s', async () => {
    const { clock, submission, post, audit } = await testWorld()
    const sent = submission()
    clock.now += 3 * 86_400_000
    await post({ ...sent, ageMs: 3 * 86_400_000 })
    const { record } = await (await audit(`/records/${sent.id}`)).json()
    expect([record.decidedAt, record.clock]).toEqual([sent.decidedAt, 'ok'])
    expect(record.recordedAt).toBe(new Date(clock.now).toISOString())
  })

  test('from a page that is not on the list is refused and writes nothing, preflight or not', async () => {
    const { avow, post, submission, audit } = await testWorld()
    await expectProblem(await post(submission(), { origin: 'https://evil.example' }), 403, 'origin-refused')
    await expectProblem(await post(submission(), { origin: 'null' }), 403, 'origin-refused')
    const preflight = await avow.app.request('/v1/consents', {
      method: 'OPTIONS',
      headers: { origin: 'https://evil.example', 'access-control-request-method': 'POST' },
    })
    expect(preflight.headers.get('access-control-allow-origin')).toBeNull()
    expect((await (await audit('/records')).json()).records).toEqual([])
  })

  test('from a listed page on another origin gets its answer', async () => {
    const { post, submission } = await testWorld()
    expect((await post(submission())).headers.get('access-control-allow-origin')).toBe(PAGE_ORIGIN)
  })

  const refusals: [why: string, more: Record<string, unknown>, field: string][] = [
    ['an unknown field', { colour: 'red' }, 'colour'],
    ['an id that is no UUIDv7', { id: '00000000-0000-4000-8000-000000000000' }, 'id'],
    ['a short secret', { secret: 'abc' }, 'secret'],
    ['a secret with stray bits at its end', { secret: `${'A'.repeat(21)}B` }, 'secret'],
    ['an action no browser may send', { action: 'lapse' }, 'action'],
    ['a choice that is no answer', { choices: { analytics: 'yes' } }, 'choices.analytics'],
    ['an unknown category', { choices: { analytics: true, ads: true } }, 'choices'],
    ['necessary as a choice', { choices: { analytics: true, necessary: false } }, 'choices'],
    ['a category that no object shows', JSON.parse('{"choices":{"analytics":true,"__proto__":true}}'), 'choices'],
    ['a category left out', { choices: {} }, 'choices.analytics'],
    ['choices that contradict accept-all', { choices: { analytics: false } }, 'choices'],
    ['choices that contradict withdraw', { action: 'withdraw' }, 'choices'],
    ['a time that is none', { decidedAt: 'yesterday' }, 'decidedAt'],
    ['a negative age', { ageMs: -1 }, 'ageMs'],
    ['a previous id that is none', { previous: 'x' }, 'previous'],
    ['a policy with an unknown field', { policy: { version: '2026-04', hash: 'A'.repeat(43), x: 1 } }, 'policy.x'],
  ]
  test.each(refusals)('with %s is refused, naming the field, and writes nothing', async (_, more, field) => {
    const { post, submission, audit } = await testWorld()
    await expectProblem(await post(submission(more)), 422, 'invalid-input', field)
    expect((await (await audit('/records')).json()).records).toEqual([])
  })

  test('citing a policy or a notice that is not published here is refused with a code of its own', async () => {
    const { post, submission, notice } = await testWorld()
    const hash = 'A'.repeat(43)
    await expectProblem(
      await post(submission({ policy: { version: '2026-04', hash } })),
      422,
      'unknown-policy',
      'policy',
    )
    await expectProblem(await post(submission({ policy: { version: '1999', hash } })), 422, 'unknown-policy', 'policy')
    await expectProblem(await post(submission({ notice: { hash, language: 'en' } })), 422, 'unknown-policy', 'notice')
    await expectProblem(
      await post(submission({ notice: { hash: notice.hash, language: 'de' } })),
      422,
      'unknown-policy',
      'notice',
    )
  })

  test('too large, not JSON, or broken JSON is refused', async () => {
    const { post, submission } = await testWorld()
    await expectProblem(await post(submission({ page: 'x'.repeat(17_000) })), 413, 'too-large')
    await expectProblem(await post(submission(), { 'content-type': 'text/plain' }), 415, 'unsupported-media-type')
    await expectProblem(await post('{"id":'), 400, 'malformed-json')
    await expectProblem(await post('null'), 422, 'invalid-input')
  })

  test('with half a character in its text, which no record could hold, is refused by the field’s name', async () => {
    for (const options of [{ page: true }, {}]) {
      const { post, submission, signedIn } = await testWorld({ page: options })
      for (const page of ['\ud800', 'https://shop.example/\udc00a', '\udc00\ud800'])
        await expectProblem(await post(submission({ page })), 422, 'invalid-input', 'page')
      expect((await post(submission({ page: 'https://shop.example/\u{1f469}' }))).status).toBe(201)
      await expectProblem(await post(submission(), await signedIn('\ud800')), 401, 'account-refused', 'avow-account')
    }
  })

  test('for a site that is not here is not found', async () => {
    const { post, submission } = await testWorld()
    await expectProblem(await post(submission({ site: 'nobody' })), 404, 'not-found', 'site')
  })

  test('no refusal repeats what was sent', async () => {
    const { post, submission } = await testWorld()
    const { secret } = submission()
    for (const more of [{ colour: secret }, { action: secret }, { page: 5, secret }]) {
      expect(await (await post(submission(more))).text()).not.toContain(secret)
    }
  })

  test('that names another subject’s record as its previous one is refused', async () => {
    const { post, submission, consent } = await testWorld()
    const { id } = await consent()
    await expectProblem(await post(submission({ previous: id })), 422, 'invalid-input', 'previous')
  })

  test('whose previous one is still on its way is taken: a withdrawal may overtake its grant', async () => {
    const { post, clock, submission } = await testWorld()
    const grant = submission()
    const withdrawal = submission({
      secret: grant.secret,
      previous: grant.id,
      action: 'withdraw',
      choices: { analytics: false },
    })
    expect((await post(withdrawal)).status).toBe(201)
    clock.now += 1000
    // The grant arrives last, and was decided first.
    expect((await (await post(grant)).json()).state).toBe('withdrawn')
  })

  test('of a clock 20 hours ahead can’t make a grant beat a later withdrawal', async () => {
    const { clock, submission, post } = await testWorld()
    const grant = submission({ decidedAt: new Date(clock.now + 20 * 3_600_000).toISOString() })
    await post(grant)
    clock.now += 60_000
    const withdrawal = submission({
      secret: grant.secret,
      action: 'withdraw',
      choices: { analytics: false },
      previous: grant.id,
    })
    expect((await (await post(withdrawal)).json()).state).toBe('withdrawn')
  })

  test('is answered 503 with Retry-After while the store can’t be written, logged once, and taken when it can', async () => {
    const storage = createMemoryStorage()
    const openLog = storage.openLog.bind(storage)
    let isDown = false
    storage.openLog = async (site, origin) => {
      const opened = await openLog(site, origin)
      const append = opened.log.append.bind(opened.log)
      opened.log.append = (...args) => (isDown ? Promise.reject(new UnavailableError('disk full')) : append(...args))
      return opened
    }
    const { post, submission, logged } = await testWorld({ storage })
    const sent = submission()
    isDown = true
    const response = await post(sent)
    expect(response.headers.get('retry-after')).toBe('5')
    await expectProblem(response, 503, 'unavailable')
    expect(logged).toHaveLength(1)
    expect(logged[0]).not.toContain(sent.secret)
    isDown = false
    expect((await post(sent)).status).toBe(201)
  })
})

describe('the audit API', () => {
  test('pages through all records, newest first, each once', async () => {
    const { consent, audit } = await testWorld()
    const sent: string[] = []
    for (let i = 0; i < 7; i++) sent.push((await consent()).id)
    const seen: string[] = []
    let next: string | null = ''
    while (next !== null) {
      const page: { records: { id: string }[]; next: string | null } = await (
        await audit(`/records?limit=3${next && `&cursor=${next}`}`)
      ).json()
      seen.push(...page.records.map(({ id }) => id))
      next = page.next
    }
    expect(seen).toEqual(sent.reverse())
  })

  test('shows a subject’s history, oldest first, and the state it comes to', async () => {
    const { clock, submission, post, audit } = await testWorld()
    const grant = submission()
    const { subject } = await (await post(grant)).json()
    clock.now += 5000
    await post(
      submission({
        secret: grant.secret,
        action: 'withdraw',
        choices: { analytics: false },
        previous: grant.id,
        layer: 'settings',
      }),
    )
    const history = await (await audit(`/subjects/${subject}`)).json()
    expect(history.state).toBe('withdrawn')
    expect(history.records.map((record: { action: string }) => record.action)).toEqual(['accept-all', 'withdraw'])
  })

  test('hands out evidence that verifies with the public key, and not with another', async () => {
    const { avow, consent, submission, post, audit } = await testWorld()
    const secret = 'A'.repeat(22)
    for (let i = 0; i < 5; i++) await consent()
    const { subject } = await consent({ secret })
    await post(submission({ secret, action: 'reject-all', choices: { analytics: false } }))
    const response = await audit(`/subjects/${subject}/evidence`)
    expect(response.headers.get('content-disposition')).toContain('attachment')
    const bundle = await response.json()
    expect(verifyBundle(bundle, avow.vkey(SITE))).toMatchObject({ subject, policies: 1, notices: 1 })
    expect(verifyBundle(bundle, avow.vkey(SITE)).records).toHaveLength(2)
    const other = await testWorld({ seedOf: () => new Uint8Array(32).fill(8) })
    expect(() => verifyBundle(bundle, other.avow.vkey(SITE))).toThrow()
  })

  test('answers nothing without a key that is whole, known, in time, in scope', async () => {
    const { avow, clock, audit, key } = await testWorld()
    await expectProblem(await avow.app.request('/v1/audit/records'), 401, 'unauthorized')
    await expectProblem(await audit('/records', 'hello'), 401, 'unauthorized')
    await expectProblem(
      await audit('/records', `${key.slice(0, -1)}${key.endsWith('A') ? 'B' : 'A'}`),
      401,
      'unauthorized',
    )
    const elsewhere = await testWorld()
    await expectProblem(await audit('/records', elsewhere.key), 401, 'unauthorized')
    const narrow = await avow.keys.create({ name: 'stats', site: SITE, scopes: ['stats:read'] })
    await expectProblem(await audit('/records', narrow), 403, 'forbidden')
    const brief = await avow.keys.create({
      name: 'brief',
      site: SITE,
      scopes: ['audit:read'],
      expiresAt: clock.now + 1000,
    })
    expect((await audit('/records', brief)).status).toBe(200)
    clock.now += 1000
    await expectProblem(await audit('/records', brief), 401, 'key-expired')
  })

  test('refuses cursors and limits that are none, naming the parameter', async () => {
    const { audit } = await testWorld()
    for (const cursor of ['x', '!!!', 'djE6LTE', 'djE6MDA', 'djI6NQ']) {
      await expectProblem(await audit(`/records?cursor=${encodeURIComponent(cursor)}`), 422, 'invalid-input', 'cursor')
    }
    for (const limit of ['0', '1001', 'many', '1.5', ''])
      await expectProblem(await audit(`/records?limit=${limit}`), 422, 'invalid-input', 'limit')
    await expectProblem(await audit('/records?colour=red'), 422, 'invalid-input', 'colour')
  })

  test('a key reads its own site alone', async () => {
    const storage = createMemoryStorage()
    const sites = [SITE, 'other'].map((site) => ({
      site,
      policy: testPolicy(),
      origins: [`https://${site}.example`],
      publicLog: false,
    }))
    const { avow, consent, audit } = await testWorld({ storage, sites })
    const { id, subject } = await consent()
    const foreign = await avow.keys.create({ name: 'other', site: 'other', scopes: ['audit:read', 'audit:export'] })
    expect((await (await audit('/records', foreign)).json()).records).toEqual([])
    await expectProblem(await audit(`/records/${id}`, foreign), 404, 'not-found')
    await expectProblem(await audit(`/subjects/${subject}`, foreign), 404, 'not-found')
    const headers = { authorization: `Bearer ${foreign}` }
    await expectProblem(await avow.app.request(`/log/${SITE}/checkpoint`, { headers }), 403, 'wrong-site')
    await expectProblem(await avow.app.request(`/log/${SITE}/checkpoint`), 401, 'unauthorized')
    expect((await avow.app.request('/log/other/checkpoint', { headers })).status).toBe(200)
    const tile = await avow.app.request('/log/other/tile/0/000.p/3', { headers })
    expect(tile.headers.get('cache-control')).toMatch(/^private, /)
  })
})

describe('what a page loads', () => {
  test('the script carries the site’s configuration, in a scope of its own', async () => {
    const { avow, notice } = await testWorld()
    const response = await avow.app.request(`/v1/sites/${SITE}/avow.js`)
    expect(response.headers.get('cache-control')).toBe('public, max-age=300')
    const [, config] = /\}\)\((\{.*\})\)\n$/.exec(await response.text()) ?? []
    expect(JSON.parse(config!)).toEqual({
      site: SITE,
      policy: { version: notice.policy.version },
      base: 'https://shop.example/_avow',
      accepts: ['2026-04'],
      categories: ['analytics'],
      cookies: [{ name: '_shop_*', kind: 'cookie', category: 'analytics' }],
      inactivityDays: 30,
      maxAgeDays: 180,
      ui: 'avow-ui.abc123.js',
      settings: 'avow-settings.def456.js',
      account: 'avow-account.789abc.js',
    })
  })

  test('the configuration has what the operator has set, and nothing of what is left out', async () => {
    const set = {
      domain: 'shop.example',
      gpc: 'ask',
      reload: 'never',
      refusalId: true,
      page: true,
      layout: 'bar-top',
      button: true,
      consentMode: { analytics: ['analytics_storage', 'functionality_storage'] },
    } as const
    const configOf = async (world: Parameters<typeof testWorld>[0]) => {
      const { avow } = await testWorld(world)
      return (await avow.app.request(`/v1/sites/${SITE}/config`)).json()
    }
    const plain = await configOf({ page: { refusalId: false, page: false, layout: 'box', button: false } })
    expect(plain).toEqual(await configOf({}))
    for (const key of [...Object.keys(set), 'crossDevice']) expect(plain).not.toHaveProperty(key)
    expect(await configOf({ page: set, policy: testPolicy({ crossDevice: true }) })).toEqual({
      ...plain,
      ...set,
      crossDevice: true,
      policy: expect.anything(),
    })
  })

  test('the script of a site with a button asks for it once the loader is there, and no other site’s does', async () => {
    const scriptOf = async (page: PageOptions) => {
      const { avow } = await testWorld({ page })
      return (await avow.app.request(`/v1/sites/${SITE}/avow.js`)).text()
    }
    const scripts = [await scriptOf({ button: true }), await scriptOf({ button: false }), await scriptOf({})]
    expect(scripts.map((script) => script.endsWith("\nself.avow&&avow('button')\n"))).toEqual([true, false, false])
    expect(scripts[1]).toBe(scripts[2])
    const asked: string[] = []
    const page = { avow: (method: string) => asked.push(method) }
    for (const self of [page, {}]) new Function('self', 'avow', 'avowSite', scripts[0]!)(self, page.avow)
    expect(asked).toEqual(['button'])
  })

  test('a server whose options contradict each other doesn’t start, and writes nothing', async () => {
    const storage = createMemoryStorage()
    const refused: [options: Parameters<typeof testWorld>[0], message: string][] = [
      [{ page: { domain: 'other.example' } }, 'sites.shop.domain: expected one that shop.example'],
      [{ page: { consentMode: { ads: ['analytics_storage'] } } }, 'sites.shop.consentMode.ads'],
      [{ publicUrl: 'shop.example' }, 'publicUrl: expected an http(s) address'],
    ]
    for (const [options, message] of refused) await expect(testWorld({ storage, ...options })).rejects.toThrow(message)
    expect(await storage.logs()).toEqual([])
  })

  test('the configuration alone is what the loader is given, kept as briefly', async () => {
    const { avow } = await testWorld()
    const script = await (await avow.app.request(`/v1/sites/${SITE}/avow.js`)).text()
    const response = await avow.app.request(`/v1/sites/${SITE}/config`)
    expect(response.headers.get('cache-control')).toBe('public, max-age=300')
    const { policy, languages: _, ...config } = await response.json()
    const told = JSON.parse(/\n\}\)\((.*)\)\n$/.exec(script)![1]!)
    // The tag that can't tell where it came from is told; what the server alone needs is not.
    expect(told).toEqual({ ...config, policy: { version: policy.version }, base: 'https://shop.example/_avow' })
    await expectProblem(await avow.app.request('/v1/sites/nobody/config'), 404, 'not-found', 'site')
  })

  test('an unchanged file is not sent again', async () => {
    const { avow } = await testWorld()
    const paths = ['avow.js', 'config', 'notice?lang=de'].map((path) => `/v1/sites/${SITE}/${path}`)
    for (const path of [...paths, '/avow-ui.abc123.js', '/avow.0.1.0.js']) {
      const first = await avow.app.request(path)
      const again = await avow.app.request(path, { headers: { 'if-none-match': first.headers.get('etag')! } })
      expect([again.status, await again.text()]).toEqual([304, ''])
    }
  })

  test('files named by their hash or their version may be kept for ever, and used from any page', async () => {
    const { avow } = await testWorld()
    for (const name of ['avow-ui.abc123.js', 'avow-settings.def456.js', 'avow-account.789abc.js', 'avow.0.1.0.js']) {
      const { headers } = await avow.app.request(`/${name}`)
      expect(headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
      expect(headers.get('access-control-allow-origin')).toBe('*')
      expect(headers.get('cross-origin-resource-policy')).toBe('cross-origin')
    }
  })

  test('the notice is found by an old tag of its language, too, and by any of the Norwegian ones', async () => {
    const languagesOf = async (own: string, asked: readonly string[]) => {
      const policy: Policy = JSON.parse(JSON.stringify(testPolicy()).replaceAll('"de":', `"${own}":`))
      const { avow } = await testWorld({ policy })
      const answers = asked.map((lang) => avow.app.request(`/v1/sites/${SITE}/notice?lang=${encodeURIComponent(lang)}`))
      return Promise.all(answers.map(async (answer) => (await (await answer).json()).language))
    }
    expect(await languagesOf('nb', ['no', 'nn-NO', 'NB', 'sv', '%', 'x_y'])).toEqual([
      'nb',
      'nb',
      'nb',
      'en',
      'en',
      'en',
    ])
    expect(await languagesOf('he', ['iw', 'he-IL', 'no'])).toEqual(['he', 'he', 'en'])
    // As it is spoken elsewhere.
    expect(await languagesOf('pt-BR', ['pt', 'pt-PT', 'PT-br', 'es'])).toEqual(['pt-BR', 'pt-BR', 'pt-BR', 'en'])
  })

  test('the notice speaks the language asked for, or its first subtag, or the policy’s own', async () => {
    const { avow } = await testWorld()
    const languageOf = async (lang: string) =>
      (await (await avow.app.request(`/v1/sites/${SITE}/notice?lang=${lang}`)).json()).language
    expect(await Promise.all(['de', 'de-AT', 'DE', 'fr', 'en-GB'].map(languageOf))).toEqual([
      'de',
      'de',
      'de',
      'en',
      'en',
    ])
  })
})

describe('a notice by its hash', () => {
  const noticeBy = ({ avow }: Awaited<ReturnType<typeof testWorld>>, query: string, headers = {}) =>
    avow.app.request(`/v1/sites/${SITE}/notice?${query}`, { headers })

  test('is the one that was published, in its language, for ever and for any page', async () => {
    const world = await testWorld()
    for (const lang of ['en', 'de']) {
      const today = await (await noticeBy(world, `lang=${lang}`)).json()
      const response = await noticeBy(world, `hash=${today.hash}`)
      expect(response.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
      expect(response.headers.get('access-control-allow-origin')).toBe('*')
      expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8')
      const { hash, ...content } = await response.json()
      expect({ ...content, hash }).toEqual(today)
      expect(hashDocument(content)).toBe(today.hash)
      const again = await noticeBy(world, `hash=${hash}`, { 'if-none-match': response.headers.get('etag') })
      expect([again.status, await again.text()]).toEqual([304, ''])
    }
  })

  test('is still the one that was shown once another policy is in force, and what records cite is found', async () => {
    const storage = createMemoryStorage()
    const before = await testWorld({ storage })
    const sent = before.submission()
    await before.post(sent)
    const texts = { en: { banner: 'New words.' }, de: { banner: 'Neue Worte.' } }
    const world = await testWorld({ storage, policy: testPolicy({ version: '2026-06', texts }) })
    const { history } = await (await world.state(sent.secret)).json()
    const shown = await (await noticeBy(world, `hash=${history[0].notice.hash}`)).json()
    expect(shown).toEqual(before.notice)
    expect((await (await noticeBy(world, 'lang=en')).json()).text).toBe('New words.')
  })

  test('that none was published under is not found', async () => {
    const world = await testWorld()
    await expectProblem(await noticeBy(world, `hash=${'A'.repeat(43)}`), 404, 'not-found', 'hash')
    // A policy is no notice, though it is published under a hash, too.
    await expectProblem(await noticeBy(world, `hash=${world.notice.policy.hash}`), 404, 'not-found', 'hash')
  })

  test('that is none, or comes with a language, is refused by the parameter', async () => {
    const world = await testWorld()
    const { hash } = world.notice
    for (const wrong of ['', 'x', hash.slice(1), `${hash}A`, '__proto__'])
      await expectProblem(await noticeBy(world, `hash=${wrong}`), 422, 'invalid-input', 'hash')
    await expectProblem(await noticeBy(world, `hash=${hash}&lang=en`), 422, 'invalid-input', 'lang')
  })
})

describe('publishing a policy', () => {
  test('logs the policy, then a notice for each language, before any consent', async () => {
    const { avow } = await testWorld()
    const bundle = Buffer.from(
      await (await avow.app.request(`/log/${SITE}/tile/entries/000.p/3`)).arrayBuffer(),
    ).toString()
    expect([...bundle.matchAll(/"type":"(\w+)"/g)].map(([, type]) => type)).toEqual(['policy', 'notice', 'notice'])
  })

  test('twice changes nothing', async () => {
    const storage = createMemoryStorage()
    await testWorld({ storage })
    const { avow } = await testWorld({ storage })
    expect((await (await avow.app.request('/readyz')).json()).logs).toEqual({ [SITE]: 3 })
  })

  test('other content under a published label refuses to start, and says how to go on', async () => {
    const storage = createMemoryStorage()
    await testWorld({ storage })
    const changed = testPolicy({ withdrawalUrl: '/elsewhere' })
    await expect(testWorld({ storage, policy: changed })).rejects.toThrow(/label of its own/)
  })

  test('an editorial version asks nobody again, a material one everybody', async () => {
    const storage = createMemoryStorage()
    const acceptsOf = async (policy: ReturnType<typeof testPolicy>) => {
      const { avow } = await testWorld({ storage, policy })
      return (await (await avow.app.request(`/v1/sites/${SITE}/config`)).json()).accepts
    }
    expect(await acceptsOf(testPolicy())).toEqual(['2026-04'])
    expect(await acceptsOf(testPolicy({ version: '2026-05', material: false }))).toEqual(['2026-04', '2026-05'])
    expect(await acceptsOf(testPolicy({ version: '2026-06' }))).toEqual(['2026-06'])
  })

  test('a grant under a version that a material one replaced is recorded, and superseded', async () => {
    const storage = createMemoryStorage()
    const first = await testWorld({ storage })
    const sent = first.submission()
    const { post } = await testWorld({ storage, policy: testPolicy({ version: '2026-06' }) })
    expect((await (await post(sent)).json()).state).toBe('superseded')
  })
})

describe('the rate limit', () => {
  test('refuses above the limit, says when to come back, and lets go after a minute', async () => {
    const { avow, clock, post, submission } = await testWorld({ rateLimit: 3 })
    // One request was the world's own, for the notice.
    for (let i = 0; i < 2; i++) expect((await post(submission())).status).toBe(201)
    const refused = await post(submission())
    expect(refused.headers.get('retry-after')).toBe('60')
    expect(refused.headers.get('ratelimit')).toBe('"address";r=0;t=60')
    await expectProblem(refused, 429, 'rate-limited')
    expect((await avow.app.request('/healthz')).status).toBe(200)
    clock.now += 60_000
    expect((await post(submission())).status).toBe(201)
  })

  test('counts by the socket, and by X-Forwarded-For behind a listed proxy alone', async () => {
    const count = async (trustedProxies: string[], remoteAddress: string, forwarded: (i: number) => string) => {
      const { avow } = await testWorld({ rateLimit: 5, trustedProxies })
      let passed = 0
      for (let i = 0; i < 10; i++) {
        const env = { incoming: { socket: { remoteAddress } } }
        const response = await avow.app.request(
          `/v1/sites/${SITE}/notice`,
          { headers: { 'x-forwarded-for': forwarded(i) } },
          env,
        )
        if (response.status === 200) passed++
      }
      return passed
    }
    expect(await count([], '203.0.113.9', (i) => `198.51.100.${i}`)).toBe(5)
    expect(await count(['10.0.0.0/8'], '10.1.2.3', (i) => `198.51.100.${i}`)).toBe(10)
    // What the client itself claimed stands left of what the proxy saw.
    expect(await count(['10.0.0.0/8'], '10.1.2.3', (i) => `198.51.100.${i}, 203.0.113.9`)).toBe(5)
    // A whole /64 is one visitor.
    expect(await count(['10.0.0.0/8'], '10.1.2.3', (i) => `2001:db8:0:1::${i}`)).toBe(5)
    expect(await count(['10.0.0.0/8'], '10.1.2.3', (i) => `2001:db8:0:${i}::1`)).toBe(10)
  })
})

describe('bad input, walked from the description of the API', () => {
  const HOSTILE = [
    '',
    ' ',
    '0',
    '-1',
    '1e2',
    '0x10',
    '../../etc/passwd',
    '%00',
    '%E0%A4%A',
    "' OR 1=1 --",
    'x'.repeat(5000),
    '🙈',
    '__proto__',
    'null',
    '{}',
  ]

  test('gets a problem answer that names the field, never a 500, and writes nothing', async () => {
    const { avow, storage, logged } = await testWorld()
    const key = await avow.keys.create({ name: 'whoever', site: SITE, scopes: SCOPES })
    const description = await (await avow.app.request('/openapi.json')).json()
    const before = await (await avow.app.request('/readyz')).text()
    let tried = 0
    for (const [path, methods] of Object.entries<
      Record<string, { parameters?: { in: string; name: string }[]; requestBody?: unknown }>
    >(description.paths)) {
      for (const [method, { parameters = [], requestBody }] of Object.entries(methods)) {
        const filled = path.replace(
          /\{(\w+)\}/g,
          (_, name) =>
            ({ site: SITE, id: uuidv7(0, 0), subject: 'A'.repeat(43), path: '0/000.p/1' })[name as string] ?? 'x',
        )
        const send = async (url: string, init: RequestInit = {}) => {
          const headers = {
            authorization: `Bearer ${key}`,
            'content-type': 'application/json',
            origin: PAGE_ORIGIN,
            ...init.headers,
          }
          const response = await avow.app.request(url, { method: method.toUpperCase(), ...init, headers })
          tried++
          return response
        }
        const expectRefusal = async (response: Response, what: string) => {
          expect(response.status, what).toBeGreaterThanOrEqual(400)
          expect(response.status, what).toBeLessThan(500)
          expect(response.headers.get('content-type'), what).toBe('application/problem+json')
          return response.json()
        }
        for (const value of HOSTILE) {
          for (const { name } of parameters.filter((parameter) => parameter.in === 'path')) {
            if (value === '') continue
            const url = path
              .replace(`{${name}}`, value.startsWith('%') ? value : encodeURIComponent(value))
              .replace(/\{(\w+)\}/g, SITE)
            const problem = await expectRefusal(await send(url, requestBody ? { body: '{}' } : {}), `${method} ${url}`)
            expect(problem.status === 404 || problem.field !== undefined, `${method} ${url} names a field`).toBe(true)
          }
          for (const { name } of parameters.filter((parameter) => parameter.in === 'query')) {
            // A page without a language says so.
            if (name === 'lang' && value.length <= 35) continue
            // An identity provider calls people what it likes.
            if (name === 'who' && value.length >= 1 && value.length <= 256) continue
            const url = `${filled}?${name}=${value.startsWith('%') ? value : encodeURIComponent(value)}`
            expect(await expectRefusal(await send(url), `${method} ${url}`)).toMatchObject({ field: name })
          }
          if (requestBody) {
            const problem = await expectRefusal(
              await send(filled, { body: JSON.stringify({ [value]: value }) }),
              `${method} ${filled}`,
            )
            expect(problem.field, `${method} ${filled} names a field`).toBeDefined()
            await expectRefusal(await send(filled, { body: value }), `${method} ${filled}`)
          }
        }
      }
    }
    expect(tried).toBeGreaterThan(100)
    expect(logged).toEqual([])
    expect(await (await avow.app.request('/readyz')).text()).toBe(before)
    expect(await storage.keys.list()).toHaveLength(2)
  })

  test('the description, the docs, health and the log are there, and nothing else is', async () => {
    const { avow, key } = await testWorld()
    const { paths } = await (await avow.app.request('/openapi.json')).json()
    expect(Object.keys(paths)).toContain('/v1/consents')
    for (const path of ['/openapi.json', '/docs', '/healthz', '/readyz', `/log/${SITE}/checkpoint`]) {
      expect((await avow.app.request(path, { headers: { authorization: `Bearer ${key}` } })).status, path).toBe(200)
    }
    await expectProblem(await avow.app.request('/nothing/here'), 404, 'not-found')
  })
})

describe('a server that can’t record', () => {
  /** The world's stores come back as they were at their first record, beside an escrow that has seen a second. */
  async function forkedWorld() {
    const escrow = createMemoryEscrow()
    const world = await testWorld({ escrowOf: (log) => (log === SITE ? escrow : createMemoryEscrow()) })
    const recorded = world.submission()
    expect((await world.post(recorded)).status).toBe(201)
    await escrow.put({ ...escrow.highest()!, root: new Uint8Array(32), size: 9 })
    const { storage } = world
    return {
      recorded,
      ...(await testWorld({ storage, escrowOf: (log) => (log === SITE ? escrow : createMemoryEscrow()) })),
    }
  }

  test('over an older copy answers for what was recorded, and asks to be sent again for what was not', async () => {
    const { recorded, submission, post, audit, logged } = await forkedWorld()
    const again = await post(recorded)
    expect(again.status).toBe(200)
    expect(await again.json()).toMatchObject({ id: recorded.id, index: 3 })
    expect((await audit(`/records/${recorded.id}`)).status).toBe(200)
    submission() // Its id is that of the first of the other world.
    const refused = await post(submission())
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5'])
    expect(logged.filter((line) => /^the log of/.test(line))).toHaveLength(1)
  })

  test('says that it isn’t ready, without a line in the log for each who asks', async () => {
    const { avow, logged } = await forkedWorld()
    const before = [...logged]
    for (const _ of [1, 2]) {
      const answer = await avow.app.request('/readyz')
      expect(answer.status).toBe(503)
      expect(await answer.json()).toMatchObject({ code: 'unavailable', detail: expect.stringContaining(SITE) })
    }
    expect(logged).toEqual(before)
    expect((await avow.app.request('/healthz')).status).toBe(200)
  })

  test('says so, too, when another process has rotated the key', async () => {
    const { avow, storage } = await testWorld()
    expect((await avow.app.request('/readyz')).status).toBe(200)
    await storage.useKey('another', await storage.currentKey())
    const answer = await avow.app.request('/readyz')
    expect(answer.status).toBe(503)
    expect(await answer.json()).toMatchObject({ detail: expect.stringMatching(/restart with the key file/) })
  })

  test('asks for what cites words that the older copy lacks to be sent again, since they were published', async () => {
    const escrow = createMemoryEscrow()
    await testWorld({ escrowOf: (log) => (log === SITE ? escrow : createMemoryEscrow()) })
    // The stores are lost, and this server's are new.
    const { submission, post } = await testWorld({ escrowOf: (log) => (log === SITE ? escrow : createMemoryEscrow()) })
    expect((await post(submission())).status).toBe(503)
  })
})
