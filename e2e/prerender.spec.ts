/** A page that a browser makes ready before anybody wants it. Whoever attaches to a browser ends its prerendering, so this one is bare. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { html, loader, script, startAndStop } from './pages/parts.js'
import { expect, test } from './support/world-test.js'

const dayMs = 86_400_000

interface Report {
  readonly prerendering: boolean
  readonly ran: readonly string[]
  readonly cookie: string
}

/** Says how it stands whenever that has changed. */
const reporting = script(`
  let said;
  setInterval(() => {
    const saying = JSON.stringify({ prerendering: document.prerendering, ran, cookie: document.cookie });
    if (window.avow && saying !== said) fetch('/pixel.svg?' + encodeURIComponent(said = saying), { keepalive: true });
  }, 50);
`)

test('not on prerender: the cookie slides when the page is shown, and the server is told then', async ({
  world,
}, testInfo) => {
  const shop = await world.host()
  const at = Math.floor((Date.now() - 2 * dayMs) / 1000).toString(36)
  const value = `1.1.2026-04.analytics1~maps1.${at}.${at}.AAAAAAAAAAAAAAAAAAAAAA`
  const start = script(`
    document.cookie = '__Host-avow=${value};path=/;max-age=2592000;secure;samesite=lax';
    setInterval(() => fetch('/go').then(({ ok }) => ok && location.assign('/next')), 100);`)
  const rules = html(
    '<script type="speculationrules">{"prerender":[{"urls":["/next"],"eagerness":"immediate"}]}</script>',
  )
  shop.page('/next', [loader(), startAndStop('analytics'), reporting], { lax: true })

  const folder = await mkdtemp(join(tmpdir(), 'avow-bare-'))
  const { executablePath, args = [] } = testInfo.project.use.launchOptions ?? {}
  const browser = spawn(
    executablePath!,
    [
      ...args,
      '--headless=new',
      '--no-first-run',
      `--user-data-dir=${folder}`,
      shop.page('/', [start, rules], { lax: true }),
    ],
    { stdio: 'ignore' },
  )
  const ended = once(browser, 'exit')
  try {
    const reports = () =>
      world.faults.arrivals.flatMap(({ path }): Report[] =>
        path.startsWith('/pixel.svg?') ? [JSON.parse(decodeURIComponent(path.split('?')[1]!))] : [],
      )
    await expect.poll(() => reports().at(-1)).toMatchObject({ prerendering: true, ran: ['start'] })
    expect(reports().at(-1)?.cookie).toContain(value)
    expect(world.faults.at('activity')).toEqual([])

    shop.page('/go', [html('')])
    await expect.poll(() => reports().at(-1)?.prerendering).toBe(false)
    await expect.poll(() => world.faults.at('activity')).toHaveLength(1)
    // The same page, and not another that was loaded in its place.
    expect(world.faults.arrivals.filter(({ path }) => path === '/next')).toHaveLength(1)
    expect(reports().some(({ prerendering, cookie }) => prerendering && !cookie.includes(value))).toBe(false)
  } finally {
    browser.kill()
    await ended
    await rm(folder, { recursive: true, force: true, maxRetries: 3 })
  }
})
