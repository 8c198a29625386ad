/** The wiring, where a page or its browser is unusual: nothing of ours throws into it, and the visitor is still asked. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { grant, site as plain, secret } from '../test-site.js'
import type { SiteConfig } from '../wire.js'
import { type Decision, encodeDecision } from './cookie.js'
import { type Files, type Heard, start } from './start.js'

const hourMs = 3_600_000
const site: SiteConfig = { ...plain, cookies: [{ kind: 'local', name: 'fr_queue*', category: 'analytics' }] }

beforeEach(() => {
  vi.stubGlobal('fetch', async () => Response.json({}))
})
afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllGlobals()
  localStorage.clear()
  document.body.innerHTML = ''
  // biome-ignore lint/suspicious/noDocumentCookie: the next page begins without a decision.
  document.cookie = 'avow=;path=/;max-age=0'
})

/** Puts a decision into the jar, as it was `ageMs` ago. */
function decided(more: Partial<Decision> = {}, ageMs = 0) {
  const at = Date.now() - ageMs
  const value = encodeURIComponent(encodeDecision({ ...grant, decidedAt: at, lastActive: at, ...more }))
  // biome-ignore lint/suspicious/noDocumentCookie: as the loader writes it.
  document.cookie = `avow=${value};path=/;max-age=2592000`
}

/** Starts the loader where nothing is to be fetched but what the test answers. */
function visit(answer: (address: string, init: RequestInit) => Response = () => Response.json({}), config = site) {
  const asked: { address: string; init: RequestInit }[] = []
  vi.stubGlobal('fetch', async (address: string, init: RequestInit) => {
    asked.push({ address, init })
    return answer(address, init)
  })
  const files = vi.fn(async () => new Promise<never>(() => {}))
  const avow = start(config, 'https://dash.example/_avow', '', files as unknown as Files)
  return { avow, asked, files }
}

/** Starts the loader; what the UI file is told to do is noted. */
function started() {
  const told: string[] = []
  const note = (name: string) => () => void told.push(name)
  const ui = {
    asked: {
      open: note('open'),
      button: note('button'),
      withdraw: note('withdraw'),
      rejectAll: note('rejectAll'),
      acceptAll: note('acceptAll'),
      save: note('save'),
    },
    settle: async () => void told.push('settle'),
    place: note('place'),
    link: note('link'),
  }
  const files = (async () => ({ create: () => ui })) as unknown as Files
  start(site, 'https://dash.example/_avow', '', files)
  return told
}

test('in a frame that forbids cookies and storage the visitor is asked all the same', async () => {
  const forbidden = () => {
    throw new DOMException('sandboxed', 'SecurityError')
  }
  vi.spyOn(document, 'cookie', 'get').mockImplementation(forbidden)
  vi.stubGlobal('localStorage', new Proxy({}, { ownKeys: forbidden, get: forbidden }))
  const told = started()
  await vi.waitFor(() => expect(told).toEqual(['settle']))
})

test('where storage is forbidden, what is in the jar is still seen', async () => {
  // A refusal that stands: nothing to ask, so only the leftover is a reason to fetch the UI file.
  const seconds = Math.floor(Date.now() / 1000).toString(36)
  vi.spyOn(document, 'cookie', 'get').mockReturnValue(`avow=1.1.2026-04.analytics0.${seconds}.${seconds}; fr_left=1`)
  vi.stubGlobal('localStorage', null)
  const files = vi.fn(async () => new Promise<never>(() => {})) as unknown as Files
  const leftover = { kind: 'cookie', name: 'fr_left', category: 'analytics' } as const
  start({ ...site, cookies: [leftover] }, 'https://dash.example/_avow', '', files)
  await vi.waitFor(() => expect(files).toHaveBeenCalledWith('ui'))
})

test('a click that a script dispatches on the document or the window is nobody’s button, and no error', async () => {
  const failed = vi.fn()
  window.addEventListener('error', failed)
  document.body.innerHTML = '<p data-avow-open><b>Cookie settings</b></p>'
  const told = started()
  for (const target of [window, document]) target.dispatchEvent(new Event('click', { bubbles: true }))
  expect(failed).not.toHaveBeenCalled()
  document.querySelector('b')?.dispatchEvent(new Event('click', { bubbles: true }))
  await vi.waitFor(() => expect(told).toContain('open'))
  window.removeEventListener('error', failed)
})

test('a returning visitor whose activity was told today asks for nothing at all', () => {
  decided()
  const { avow, asked, files } = visit()
  expect([avow.state(), asked, files.mock.calls]).toEqual([{ analytics: true }, [], []])
})

test('on another day activity is told once, with the secret where there is one', () => {
  decided({}, 25 * hourMs)
  const { asked } = visit()
  expect(asked).toMatchObject([
    {
      address: 'https://dash.example/_avow/v1/activity?site=fr-apiaas',
      init: { method: 'POST', keepalive: true, headers: { authorization: `Avow ${secret}` } },
    },
  ])
  // The next page of the same day.
  expect(visit().asked).toEqual([])
})

test('the activity of who refused names nobody', () => {
  decided({ choices: { analytics: false }, secret: '' }, 25 * hourMs)
  expect(visit().asked.map(({ init }) => init.headers)).toEqual([{}])
})

test.each(['withdrawn', 'erased', 'lapsed', 'undecided'])(
  'where the server says %s, the answer to activity closes the gates',
  async (state) => {
    decided({}, 25 * hourMs)
    const { avow } = visit(() => Response.json({ state }))
    const stop = vi.fn()
    avow.whenGranted('analytics', () => stop)
    await vi.waitFor(() => expect(stop).toHaveBeenCalledTimes(1))
  },
)

test('what waits to be sent is newer than what the server says', async () => {
  decided({}, 25 * hourMs)
  localStorage.setItem('avow:fr-apiaas:0:1', '{}')
  let answered = () => {}
  const read = new Promise<void>((resolve) => {
    answered = resolve
  })
  const { avow } = visit(() => {
    const answer = Response.json({})
    answer.json = async () => {
      answered()
      return { state: 'undecided' }
    }
    return answer
  })
  await read
  await Promise.resolve()
  expect(avow.state()).toEqual({ analytics: true })
})

test('a server that is down changes nothing', async () => {
  decided({}, 25 * hourMs)
  const { avow } = visit(() => new Response('busy', { status: 503 }))
  await vi.waitFor(() => expect(avow.state()).toEqual({ analytics: true }))
})

test('who subscribes late hears how it stands, marked as such', () => {
  decided({ version: '2025-01' })
  const { avow } = visit()
  const told: [string, Heard][] = []
  for (const name of ['change', 'ask', 'lapse'] as const) avow.on(name, (heard) => told.push([name, heard]))
  const heard = { choices: undefined, initial: true, reloadNeeded: false }
  expect(told).toEqual([
    ['change', heard],
    ['ask', heard],
    ['lapse', heard],
  ])
})

test('who has decided is not asked, and nothing has lapsed', () => {
  decided()
  const { avow } = visit()
  const told: string[] = []
  for (const name of ['ask', 'lapse'] as const) avow.on(name, () => told.push(name))
  expect(told).toEqual([])
})

test('a grant that the opt-out signal suspends can be withdrawn', () => {
  vi.stubGlobal('navigator', { globalPrivacyControl: true, languages: ['en'] })
  decided()
  const { avow } = visit()
  const started = vi.fn()
  avow.whenGranted('analytics', started)
  avow.ask('withdraw')
  expect([avow.state(), started.mock.calls]).toEqual([{ analytics: false }, []])
  expect(JSON.parse(localStorage.getItem('avow:fr-apiaas:0draft') ?? '{}').made).toMatchObject({ n: 2, secret })
})

test('a grant that the opt-out signal suspends is told as denied', () => {
  vi.stubGlobal('navigator', { globalPrivacyControl: true, languages: ['en'] })
  decided()
  const { avow } = visit()
  const told: Heard[] = []
  avow.on('change', (heard) => told.push(heard))
  expect([avow.state(), told[0]?.choices]).toEqual([{ analytics: false }, { analytics: false }])
})

test('where the site is never reloaded, listeners hear that it should be', () => {
  document.body.innerHTML = '<script type="text/plain" data-avow="analytics">1</script>'
  decided()
  const { avow } = visit(undefined, { ...site, reload: 'never' })
  const told: boolean[] = []
  avow.on('change', ({ reloadNeeded }) => told.push(reloadNeeded))
  avow.ask('withdraw')
  expect(told).toEqual([false, true])
})
