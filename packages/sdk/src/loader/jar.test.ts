/** The one cookie, in a browser's own jar. */
import { afterEach, expect, test, vi } from 'vitest'
import { createJar } from './jar.js'

afterEach(() => {
  vi.restoreAllMocks()
  createJar(false).write('', -1)
})

test('what is written is read, until it is removed', () => {
  const jar = createJar(false)
  jar.write('1.1.2026%2E04.analytics1.a.b', 30)
  expect(jar.read()).toBe('1.1.2026%2E04.analytics1.a.b')
  jar.write('', -1)
  expect(jar.read()).toBeNull()
})

test('the cookie lives 30 days, on every path, and travels with links only', () => {
  const set = vi.spyOn(document, 'cookie', 'set')
  createJar(true).write('1', 30)
  const [written = ''] = set.mock.calls[0] ?? []
  expect(written.split('; ').sort()).toEqual(['__Host-avow=1', 'max-age=2592000', 'path=/', 'sameSite=Lax', 'secure'])
})

test('two cookies of the name are none', () => {
  vi.spyOn(document, 'cookie', 'get').mockReturnValue('avow=1; xavow=3; avow=2')
  expect(createJar(false).read()).toBeNull()
})

test('where cookies are forbidden the jar is empty and nothing throws', () => {
  const forbid = () => {
    throw new DOMException('forbidden', 'SecurityError')
  }
  vi.spyOn(document, 'cookie', 'get').mockImplementation(forbid)
  vi.spyOn(document, 'cookie', 'set').mockImplementation(forbid)
  const jar = createJar(false)
  jar.write('1', 30)
  expect(jar.read()).toBeNull()
})
