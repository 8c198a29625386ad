/** What a category without a grant left, and nothing else. */
import { beforeEach, expect, test } from 'vitest'
import type { DeclaredCookie } from '../wire.js'
import { cleanup } from './cleanup.js'

const declared: DeclaredCookie[] = [
  { kind: 'cookie', name: '_fr*', category: 'analytics' },
  { kind: 'local', name: 'fr_queue', category: 'analytics' },
  { kind: 'session', name: 'fr_tab', category: 'analytics' },
]

/** A jar that notes what is written to it. */
function stores(cookie: string) {
  const written: string[] = []
  const document = {
    get cookie() {
      return cookie
    },
    set cookie(value: string) {
      written.push(value)
    },
  }
  return { written, stores: { document, local: localStorage, session: sessionStorage } }
}

const page = { hostname: 'dash.example.co.uk', pathname: '/app/usage', protocol: 'https:' }

beforeEach(() => {
  localStorage.clear()
  sessionStorage.clear()
  localStorage.setItem('fr_queue', '1')
  localStorage.setItem('theirs', '1')
  sessionStorage.setItem('fr_tab', '1')
})

test('a declared cookie is deleted on every path and every domain above, whatever the suffix, partitioned or not', () => {
  const made = stores('_fr_visit=1; _other=2; x_fr=3')
  cleanup(made.stores, page, declared, [])
  const paths = ['', '/', '/app', '/app/', '/app/usage', '/app/usage/']
  const domains = ['', ';domain=dash.example.co.uk', ';domain=example.co.uk', ';domain=co.uk', ';domain=uk']
  const whole = paths.flatMap((path) => domains.map((domain) => `_fr_visit=;path=${path}${domain};max-age=0;secure`))
  expect(made.written.sort()).toEqual(whole.flatMap((one) => [one, `${one};partitioned`]).sort())
})

test.each(['/', '/app', '/app/', '/app/usage/'])('at %s no path of it is left out', (pathname) => {
  const made = stores('_fr_visit=1')
  cleanup(made.stores, { ...page, pathname, hostname: 'dash' }, declared, [])
  // A browser sends a cookie where its path is the page's, or what comes before one of its slashes.
  for (let end = 1; end <= pathname.length; end++) {
    const path = pathname.slice(0, end)
    if (path.endsWith('/') || ['/', undefined].includes(pathname[end]))
      expect(made.written).toContain(`_fr_visit=;path=${path};max-age=0;secure`)
  }
})

test('declared storage keys go, what others keep stays', () => {
  cleanup(stores('').stores, page, declared, [])
  expect([Object.keys(localStorage), Object.keys(sessionStorage)]).toEqual([['theirs'], []])
})

test('with a grant nothing is touched', () => {
  const made = stores('_fr_visit=1')
  cleanup(made.stores, page, declared, ['analytics'])
  expect([made.written, localStorage.length, sessionStorage.length]).toEqual([[], 2, 1])
})

test('where storage is forbidden the cookies go all the same', () => {
  const made = stores('_fr_visit=1')
  cleanup({ ...made.stores, local: null, session: null }, page, declared, [])
  expect(made.written.length).toBeGreaterThan(0)
})
