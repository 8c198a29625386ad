/**
 * What the loader costs a returning visitor: the main thread's time for its script at a quarter of the processor's speed, and the
 * requests it makes: `node bench/loader/run.mjs [--loads 25] [--slow 4]`, after a build. Exits 1 above the budget, and where
 * there was a request.
 *
 * Each load is in a profile of its own, where nothing is cached. In turn with it, in the same run, two other scripts in the
 * loader's place: one with nothing in it, and one that only looks into the jar and both stores.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { getRequestListener } from '@hono/node-server'
import { findChromium } from '../../tools/chromium.mjs'
import { launch } from './browser.mjs'

const { values } = parseArgs({
  options: { loads: { type: 'string', default: '25' }, slow: { type: 'string', default: '4' } },
})
const loads = Number(values.loads)
const rate = Number(values.slow)
const budgetMs = 5
/** Until the browser has its own code in memory. */
const warmUps = 2
/** A new profile opens a window, whose own interface must have loaded; it isn't what is measured. */
const settleMs = 500
/** After the page was asked for: a request that comes late is the loader's, too. */
const waitMs = 700

const root = fileURLToPath(new URL('../..', import.meta.url))
const site = 'fr-apiaas'
const policy = JSON.parse(readFileSync(join(root, 'demo/policy.json'), 'utf8'))
const { createAvow, generateKey } = await import(join(root, 'packages/server/dist/index.js'))
const { avowCookie } = await import(join(root, 'packages/sdk/dist/esm/testing.js'))

/** Addresses of the scripts that are compared. */
const scripts = {
  empty: '/empty.js',
  looks: '/looks.js',
  loader: `/v1/sites/${site}/avow.js`,
}
const controls = {
  [scripts.empty]: '',
  [scripts.looks]: '[document.cookie, Object.keys(localStorage), Object.keys(sessionStorage)]',
}

/** One held script for the loader to let go, and some page around it, which it looks through while that is parsed. */
const page = (script) => `<!doctype html>
<html lang="en">
<title>page</title>
<link rel="icon" href="data:,">
<script src="${script}" async></script>
<script type="text/plain" data-avow="analytics">globalThis.isHeldRunning = true</script>
${'<section><h2>Heading</h2><p>Some <em>words</em> and a <a href="#">link</a>.</p></section>\n'.repeat(100)}
</html>`

/** What a trace tells of a script, in microseconds: of the thread's processor time, and of the clock. */
function costOf(events, script) {
  // Running a script, compiling it included; and what the browser calls of it later: observers, listeners.
  const names = ['EvaluateScript', 'v8.compile', 'FunctionCall']
  const ours = events
    .filter(({ ph, name, args }) => ph === 'X' && names.includes(name) && JSON.stringify(args).includes(script))
    .sort((a, b) => a.ts - b.ts || b.dur - a.dur)
  if (!ours.some(({ name }) => name === 'EvaluateScript')) throw new Error(`the trace doesn't name ${script}`)
  const cost = { cpu: 0, wall: 0, later: 0 }
  let end = 0
  for (const { name, ts, dur, tdur = 0 } of ours) {
    // Inside of what was counted: compiling within evaluating, a call within a call.
    if (ts < end) continue
    end = ts + dur
    cost.cpu += tdur
    cost.wall += dur
    if (name === 'FunctionCall') cost.later += tdur
  }
  return cost
}

/** One load by a visitor who consented, and whose visit today the server was told of. */
async function load({ send, on }, origin, script) {
  const { browserContextId } = await send('Target.createBrowserContext')
  const cookie = avowCookie({ analytics: true }, { version: policy.version })
  const expires = Date.now() / 1000 + policy.inactivityDays * 86_400
  await send('Storage.setCookies', { browserContextId, cookies: [{ ...cookie, url: origin, expires }] })
  const { targetId } = await send('Target.createTarget', { url: 'about:blank', browserContextId })
  const { sessionId } = await send('Target.attachToTarget', { targetId, flatten: true })
  await send('Emulation.setCPUThrottlingRate', { rate }, sessionId)
  await sleep(settleMs)

  const events = []
  on('Tracing.dataCollected', ({ value }) => events.push(...value))
  const traceConfig = { includedCategories: ['devtools.timeline'] }
  await send('Tracing.start', { transferMode: 'ReportEvents', traceConfig })
  const address = `${origin}/?${script}`
  await send('Page.navigate', { url: address }, sessionId)
  const ask = async (expression) => (await send('Runtime.evaluate', { expression }, sessionId)).result.value
  do await sleep(waitMs)
  while (!(await ask('document.readyState === "complete" && location.protocol === "http:"')))
  const ended = new Promise((resolve) => on('Tracing.tracingComplete', resolve))
  await send('Tracing.end')
  await ended

  if (script === scripts.loader && !(await ask('isHeldRunning && avow("state").analytics')))
    throw new Error('the choice in the jar was not obeyed')
  await send('Target.disposeBrowserContext', { browserContextId })
  const more = events
    .filter(({ name }) => name === 'ResourceSendRequest')
    .map(({ args }) => args.data.url)
    .filter((url) => url.startsWith('http') && url !== address && url !== origin + script)
  return { ...costOf(events, script), more }
}

async function measure(origin) {
  const browser = launch(findChromium())
  const costs = Object.fromEntries(Object.keys(scripts).map((name) => [name, []]))
  try {
    for (let at = -warmUps; at < loads; at++) {
      for (const [name, script] of Object.entries(scripts)) {
        const cost = await load(browser, origin, script)
        if (at >= 0) costs[name].push(cost)
      }
    }
  } finally {
    await browser.close()
  }
  return costs
}

/** The value that this part of all are not above, in milliseconds. */
function share(costs, key, part) {
  const sorted = costs.map((cost) => cost[key]).sort((a, b) => a - b)
  return sorted[Math.ceil(sorted.length * part) - 1] / 1000
}

const data = mkdtempSync(join(tmpdir(), 'avow-loader-'))
let api
/** All that was asked of the server but the pages and their scripts. */
const askedOfServer = []
const server = createServer((request, response) => {
  const { url } = request
  const isPage = url.startsWith('/?')
  if (!isPage && !Object.values(scripts).includes(url)) askedOfServer.push(url)
  if (!isPage && !(url in controls)) return api(request, response)
  response.setHeader('content-type', isPage ? 'text/html' : 'text/javascript')
  response.end(isPage ? page(url.slice(2)) : controls[url])
})
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
const origin = `http://localhost:${server.address().port}`
const avow = await createAvow({
  data,
  publicUrl: origin,
  sites: [{ site, policy, origins: [origin], publicLog: true }],
  rateLimit: null,
  keys: [generateKey()],
})
api = getRequestListener(avow.app.fetch, { overrideGlobalObjects: false })

const row = (...cells) => cells.map((cell, at) => (at === 0 ? cell.padEnd(8) : cell.padStart(12))).join('')
const figure = (ms) => ms.toFixed(2)

try {
  const results = await measure(origin)
  console.log(`${loads} loads each at 1/${rate} of the speed, in ms; load average ${loadavg()[0].toFixed(1)}`)
  console.log(row('script', 'cpu median', 'cpu p90', 'wall median', 'wall p90', 'of it later'))
  for (const [name, costs] of Object.entries(results)) {
    const shares = [
      ...['cpu', 'wall'].flatMap((key) => [share(costs, key, 0.5), share(costs, key, 0.9)]),
      share(costs, 'later', 0.5),
    ]
    console.log(row(name, ...shares.map(figure)))
  }
  const median = share(results.loader, 'cpu', 0.5)
  const requests = [...new Set([...results.loader.flatMap(({ more }) => more), ...askedOfServer])]
  console.log(`budget: ${figure(budgetMs)} ms at the median of the processor's time, and no request`)
  if (median > budgetMs) console.error(`the loader is ${figure(median - budgetMs)} ms above its budget`)
  if (requests.length > 0) console.error(`the loader asked for ${requests.join(', ')}`)
  process.exitCode = median > budgetMs || requests.length > 0 ? 1 : 0
} finally {
  server.closeAllConnections()
  server.close()
  await avow.close()
  rmSync(data, { recursive: true, force: true })
}
