/** The one cookie, in a browser's own jar. */

import Cookies from 'js-cookie'
import { afterEach, expect, test, vi } from 'vitest'
import { site } from '../test-site.js'
import { cookieName, createJar } from './jar.js'

afterEach(() => {
  vi.restoreAllMocks()
  createJar(false, site).write('', -1, false)
})

test('what is written is read, until it is removed', () => {
  const jar = createJar(false, site)
  jar.write('1.1.2026%2E04.analytics1.a.b', 30, false)
  expect(jar.read()).toBe('1.1.2026%2E04.analytics1.a.b')
  jar.write('', -1, false)
  expect(jar.read()).toBeNull()
})

test('a library that knows nothing of us reads the cookie as we wrote it', () => {
  const value = '1.1.2026%2E04.analytics1~other0.a.b'
  createJar(false, site).write(value, 30, false)
  expect(Cookies.get('avow')).toBe(value)
})

test('the cookie lives 30 days, on every path, and travels with links only', () => {
  const set = vi.spyOn(document, 'cookie', 'set')
  createJar(true, site).write('1', 30, false)
  const [written = ''] = set.mock.calls[0] ?? []
  expect(written).toBe('__Host-avow=1;path=/;max-age=2592000;samesite=lax;secure')
})

test('two cookies of the name are none', () => {
  vi.spyOn(document, 'cookie', 'get').mockReturnValue('avow=1; xavow=3; avow=2')
  expect(createJar(false, site).read()).toBeNull()
})

test('where cookies are forbidden the jar is empty and nothing throws', () => {
  const forbid = () => {
    throw new DOMException('forbidden', 'SecurityError')
  }
  vi.spyOn(document, 'cookie', 'get').mockImplementation(forbid)
  vi.spyOn(document, 'cookie', 'set').mockImplementation(forbid)
  const jar = createJar(false, site)
  jar.write('1', 30, false)
  expect(jar.read()).toBeNull()
})

test('a name that only decodes to ours is not ours', () => {
  vi.spyOn(document, 'cookie', 'get').mockReturnValue('%5F%5FHost-avow=planted')
  expect(createJar(true, site).read()).toBeNull()
})

test('the name keeps other hosts and plain http away, as far as the site lets it', () => {
  expect([cookieName(true), cookieName(true, 'example.co.uk'), cookieName(false)]).toEqual([
    '__Host-avow',
    '__Secure-avow',
    'avow',
  ])
  const set = vi.spyOn(document, 'cookie', 'set')
  createJar(true, { ...site, domain: 'example.co.uk' }).write('1', 30, false)
  expect(set.mock.calls[0]?.[0]).toContain(
    '__Secure-avow=1;path=/;max-age=2592000;samesite=lax;secure;domain=example.co.uk',
  )
})

test('what undid a grant is kept in storage too, until something else is written', () => {
  const jar = createJar(false, site)
  jar.write('1', 30, true)
  expect(JSON.parse(localStorage.getItem('avow:fr-apiaas:last') ?? '')).toEqual({ decision: '1' })
  jar.write('2', 30, false)
  expect(localStorage.getItem('avow:fr-apiaas:last')).toBeNull()
})
