/** Evidence over HTTP: JSON for programs, a page for people, the same bundle in both. */
import { describe, expect, test } from 'vitest'
import { SITE, testWorld } from '../../testing.js'
import { verifyBundle } from '../../verify/bundle.js'
import { NOT_PROVED } from '../../verify/limits.js'
import { bundleInPage } from '../../verify/page/document.js'

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

  test('refused in a form that there isn’t, by the name of the parameter', async () => {
    const world = await testWorld()
    const { subject } = await world.consent()
    const response = await evidence(world, subject, '?format=pdf')
    expect(await response.json()).toMatchObject({ status: 422, code: 'invalid-input', field: 'format' })
  })
})
