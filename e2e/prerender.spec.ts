/** Pages that a browser fetches or makes ready before anybody wants them: nobody has been active. */
import type { Part } from './pages/page.js'
import { html, loader, script, startAndStop } from './pages/parts.js'
import { openBareBrowser } from './support/bare-browser.js'
import type { World } from './support/world.js'
import { expect, test } from './support/world-test.js'

const dayMs = 86_400_000

interface Report {
  readonly prerendering: boolean
  /** Marks, joined. */
  readonly ran: string
  readonly cookie: string
}

/** Says how it stands whenever that has changed. */
const reporting = script(`
  let said;
  setInterval(() => {
    const saying = JSON.stringify({ prerendering: document.prerendering, ran: ran.join(), cookie: document.cookie });
    if (window.avow && saying !== said) fetch('/pixel.svg?' + encodeURIComponent(said = saying), { keepalive: true });
  }, 50);
`)

const reports = (world: World) =>
  world.faults.arrivals.flatMap(({ path }): Report[] =>
    path.startsWith('/pixel.svg?') ? [JSON.parse(decodeURIComponent(path.split('?')[1]!))] : [],
  )

const visits = (world: World) => world.faults.arrivals.filter(({ path }) => path === '/next')

/** A grant of two days ago. */
function createGrant(): string {
  const at = Math.floor((Date.now() - 2 * dayMs) / 1000).toString(36)
  return `1.1.2026-04.analytics1~maps1.${at}.${at}.AAAAAAAAAAAAAAAAAAAAAA`
}

/** Has the grant put into the jar, as nobody else can, and the next page made ready; goes there when the server says so. */
const before =
  (how: 'prefetch' | 'prerender', grant: string): Part =>
  (at) =>
    [
      script(`document.cookie = '__Host-avow=${grant};path=/;max-age=2592000;secure;samesite=lax';`),
      script(`{"${how}":[{"urls":["/next"],"eagerness":"immediate"}]}`, { type: 'speculationrules' }),
      script("setInterval(() => fetch('/go').then(({ ok }) => ok && location.assign('/next')), 100);"),
    ]
      .map((part) => part(at))
      .join('\n')

const next = [loader(), startAndStop('analytics'), reporting]

test('not on prerender: the cookie slides when the page is shown, and the server is told then', async ({
  world,
}, testInfo) => {
  const shop = await world.host()
  const grant = createGrant()
  shop.page('/next', next)
  await using _ = await openBareBrowser(testInfo, shop.page('/', [before('prerender', grant)]))
  await expect.poll(() => reports(world).at(-1)).toMatchObject({ prerendering: true, ran: 'start' })
  expect(reports(world).at(-1)?.cookie).toContain(grant)
  expect(world.faults.at('activity')).toEqual([])

  shop.page('/go', [html('')])
  await expect.poll(() => reports(world).at(-1)?.prerendering).toBe(false)
  await expect.poll(() => world.faults.at('activity')).toHaveLength(1)
  await expect.poll(() => reports(world).at(-1)?.cookie).not.toContain(grant)
  // The same page, and not another that was loaded in its place.
  expect(visits(world)).toHaveLength(1)
  expect(reports(world).some(({ prerendering, cookie }) => prerendering && !cookie.includes(grant))).toBe(false)
})

test('not on prefetch (`Sec-Purpose`): what is fetched and not shown tells nobody anything', async ({
  world,
}, testInfo) => {
  const shop = await world.host()
  const grant = createGrant()
  shop.page('/next', next)
  await using _ = await openBareBrowser(testInfo, shop.page('/', [before('prefetch', grant)]))
  await expect.poll(() => visits(world)).toHaveLength(1)
  const [{ headers }] = visits(world) as [ReturnType<typeof visits>[0]]
  expect(headers['sec-purpose']).toContain('prefetch')
  expect(headers.cookie).toContain(grant)
  // The page that is shown asks on, a few times, and nothing else comes.
  const asked = () => world.faults.arrivals.filter(({ path }) => path === '/go').length
  const since = asked()
  await expect.poll(asked).toBeGreaterThan(since + 3)
  expect(world.faults.at('loader')).toEqual([])
  expect(world.faults.at('activity')).toEqual([])

  shop.page('/go', [html('')])
  await expect.poll(() => reports(world).at(-1)).toMatchObject({ prerendering: false })
  await expect.poll(() => world.faults.at('activity')).toHaveLength(1)
})
