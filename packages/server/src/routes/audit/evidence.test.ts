/** Evidence over HTTP: JSON for programs, a page for people, the same bundle in both. */
import { describe, expect, test } from 'vitest'
import { subjectOf } from '../../consent/record.js'
import { createMemoryStorage } from '../../storage/memory.js'
import { SITE, testPolicy, testWorld } from '../../testing.js'
import { verifyBundle } from '../../verify/bundle.js'
import { NOT_PROVED } from '../../verify/limits.js'
import { bundleInPage, createEvidencePage } from '../../verify/page/document.js'

type World = Awaited<ReturnType<typeof testWorld>>

const evidence = ({ avow, key }: World, subject: string, query = '', accept?: string) =>
  avow.app.request(`/v1/audit/subjects/${subject}/evidence${query}`, {
    headers: { authorization: `Bearer ${key}`, ...(accept === undefined ? {} : { accept }) },
  })

describe('evidence is', () => {
  const asked: [query: string, accept: string | undefined, type: string][] = [
    ['', undefined, 'application/json'],
    ['', '*/*', 'application/json'],
    ['', 'application/json, text/html;q=0.9', 'application/json'],
    ['', 'text/html,application/xhtml+xml,*/*;q=0.8', 'text/html; charset=UTF-8'],
    ['?format=html', 'application/json', 'text/html; charset=UTF-8'],
    ['?format=json', 'text/html', 'application/json'],
  ]
  test.each(asked)('for %j and Accept %j of the type %s', async (query, accept, type) => {
    const world = await testWorld()
    const { subject } = await world.consent()
    const response = await evidence(world, subject, query, accept)
    expect([response.status, response.headers.get('content-type')]).toEqual([200, type])
    const text = await response.text()
    const bundle = JSON.parse(type.startsWith('text') ? bundleInPage(text) : text)
    expect(verifyBundle(bundle, world.avow.vkey(SITE))).toMatchObject({ subject, policies: 1, notices: 1 })
    expect(bundle.notProved).toEqual(NOT_PROVED)
  })

  test('kept by no cache, and in a page may do nothing but run its own script', async () => {
    const world = await testWorld()
    const { subject } = await world.consent()
    const { headers } = await evidence(world, subject, '?format=html')
    expect(headers.get('cache-control')).toBe('no-store')
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('content-disposition')).toBe(`attachment; filename="evidence-${subject.slice(0, 12)}.html"`)
    expect(headers.get('content-security-policy')).toMatch(
      /^default-src 'none'; script-src 'sha256-.*sandbox allow-scripts$/,
    )
    expect((await evidence(world, subject)).headers.get('cache-control')).toBe('no-store')
  })

  test('of the records and what they cite alone, in the order of the log, and made no earlier than they were', async () => {
    const storage = createMemoryStorage()
    const controller = { ...testPolicy().controller, name: 'Another Company Ltd' }
    const older = await testWorld({ storage, policy: testPolicy({ version: '2025-01', controller }) })
    const early = older.submission()
    await older.post(early)
    await older.avow.close()
    const world = await testWorld({ storage })
    world.clock.now += 60_000
    const { secret } = early
    await world.post(world.submission({ secret }))
    await world.post(world.submission({ secret, action: 'withdraw', choices: { analytics: false } }))
    const { subject } = await world.consent()
    // A clock that was set back: what is recorded is never earlier than what was before.
    world.clock.now -= 30_000
    const about = async (whose: string) => (await evidence(world, whose)).json()
    const [theirs, other] = [await about(subjectOf(SITE, secret)), await about(subject)]
    const indexes = theirs.records.map(({ index }: { index: number }) => index)
    expect(indexes).toEqual([...indexes].sort((a, b) => a - b))
    expect(verifyBundle(theirs, world.avow.vkey(SITE))).toMatchObject({ linked: 3, policies: 2, notices: 2 })
    expect(verifyBundle(other, world.avow.vkey(SITE))).toMatchObject({ linked: 1, policies: 1, notices: 1 })
    expect(other.asOf).toBe(other.records[0].evidence.recordedAt)
    expect(createEvidencePage(theirs, '').html).not.toMatch(/Made by<.dt><dd>Another Company Ltd/)
  })

  test('refused in a form that there isn’t, by the name of the parameter', async () => {
    const world = await testWorld()
    const { subject } = await world.consent()
    const response = await evidence(world, subject, '?format=pdf')
    expect(await response.json()).toMatchObject({ status: 422, code: 'invalid-input', field: 'format' })
  })
})
