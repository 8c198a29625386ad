/**
 * What a first visit costs, beside peers, in one run: `npm install --prefix bench/browser && node bench/browser/run.mjs
 * [--loads 15] [--slow 4] [--trip 40] [--only avow,orejime]`, after a build. Everything comes from one server, compressed
 * beforehand (brotli 11) and `no-store`; each load is in a profile of its own, in turn with the others.
 *
 * In turn with them a page with no banner: what it costs no banner can be below of.
 */

import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { brotliCompressSync, constants } from 'node:zlib'
import { findChromium } from '../../tools/chromium.mjs'
import { launch } from '../loader/browser.mjs'
import { peers } from './peers.mjs'

const { values } = parseArgs({
  options: {
    loads: { type: 'string', default: '15' },
    slow: { type: 'string', default: '4' },
    trip: { type: 'string', default: '40' },
    only: { type: 'string' },
  },
})
const loads = Number(values.loads)
const rate = Number(values.slow)
const latency = Number(values.trip)
/** Until the browser has its own code in memory. */
const warmUps = 1
/** A new profile opens a window, whose own interface must have loaded; it isn't what is measured. */
const settleMs = 400
/** From the load event, and after a click: whatever is still to come has come by then. */
const restMs = 900
/** A page on which nothing comes by then has something wrong. */
const longestMs = 30_000

const root = fileURLToPath(new URL('../..', import.meta.url))
const site = 'fr-apiaas'
const policy = JSON.parse(readFileSync(join(root, 'demo/policy.json'), 'utf8'))
const { createAvow, createMemoryStorage, generateKey } = await import(join(root, 'packages/server/dist/index.js'))

const targets = {
  nothing: { head: '', end: '', banner: 'document.querySelector("h1")', accept: null },
  avow: {
    head: `<script async src="/_avow/v1/sites/${site}/avow.js"></script>`,
    end: '',
    banner: 'document.querySelector("avow-notice")?.shadowRoot.querySelector("section")',
    accept: 'document.querySelector("avow-notice").shadowRoot.querySelector(".actions button:last-child")',
  },
  ...peers,
}
const wanted = values.only?.split(',') ?? Object.keys(targets)

/** In the page, before all else: when the banner is there, what it shifts, what is the largest paint, how long a click takes. */
const probe = ({ banner }) => `<script>
  const seen = window.seen = { shifted: 0, click: 0, largest: '' }
  const watch = (type, each, more) =>
    new PerformanceObserver((list) => list.getEntries().forEach(each)).observe({ type, buffered: true, ...more })
  watch('layout-shift', ({ value, hadRecentInput }) => { if (!hadRecentInput) seen.shifted += value })
  watch('largest-contentful-paint', ({ element }) => {
    seen.largest = !element || ((${banner})?.contains(element) && element.tagName !== 'H1') ? 'the banner' : 'the page'
  })
  watch('event', ({ interactionId, duration }) => { if (interactionId) seen.click = Math.max(seen.click, duration) }, { durationThreshold: 16 })
  const look = () => {
    const { width = 0, height = 0, top = 0 } = (${banner})?.getBoundingClientRect() ?? {}
    if (width > 50 && height > 20 && top < innerHeight) seen.bannerAt = performance.now()
    else requestAnimationFrame(look)
  }
  requestAnimationFrame(look)
</script>`

const page = (target) => `<!doctype html>
<html lang="en">
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>page</title>
<link rel="icon" href="data:,">
${probe(target)}
${target.head}
<body>
<h1>Dashboard</h1>
${`<p>${'Some words of a page that somebody came to read, and a few more of them, so that they fill a line. '.repeat(8)}</p>\n`.repeat(10)}
${target.end}
</body>
</html>`

const compressed = new Map()
const squeeze = (path, bytes) => {
  const params = { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY }
  if (!compressed.has(path)) compressed.set(path, brotliCompressSync(bytes, { params }))
  return compressed.get(path)
}
const typeOf = (path) => (path.endsWith('.css') ? 'text/css' : path.endsWith('.js') ? 'text/javascript' : 'text/html')

let avow
async function answer(request, response) {
  const path = decodeURIComponent(request.url).replace(/\?v=.*/, '')
  const send = (type, bytes) =>
    response
      .writeHead(200, {
        'content-type': `${type}; charset=utf-8`,
        'content-encoding': 'br',
        'cache-control': 'no-store',
      })
      .end(squeeze(path, bytes))
  const [, kind, name, ...rest] = path.split('/')
  if (kind === 'page') return send('text/html', page(targets[name]))
  if (kind === 'files') {
    const bytes = targets[name].files[rest.join('/')]
    return bytes ? send(typeOf(rest.join('/')), bytes) : response.writeHead(404).end()
  }
  if (kind !== '_avow') return response.writeHead(404).end()
  const chunks = []
  for await (const chunk of request) chunks.push(chunk)
  // What is compressed is compressed here.
  const {
    method,
    headers: { 'accept-encoding': _, ...headers },
  } = request
  const body = method === 'GET' ? {} : { body: Buffer.concat(chunks) }
  const made = await avow.app.request(path.slice('/_avow'.length), { method, headers, ...body })
  const bytes = Buffer.from(await made.arrayBuffer())
  if (method === 'GET' && made.ok) return send(made.headers.get('content-type').split(';')[0], bytes)
  response.writeHead(made.status, Object.fromEntries(made.headers)).end(bytes)
}

/** One first visit, and a click on what accepts. */
async function visit({ send, on }, origin, name) {
  const { browserContextId } = await send('Target.createBrowserContext')
  const { targetId } = await send('Target.createTarget', {
    url: 'about:blank',
    browserContextId,
    width: 1280,
    height: 800,
  })
  const { sessionId } = await send('Target.attachToTarget', { targetId, flatten: true })
  const tell = (method, params) => send(method, params, sessionId)
  const ask = async (expression) => {
    const { result, exceptionDetails } = await tell('Runtime.evaluate', { expression, returnByValue: true })
    if (exceptionDetails)
      throw new Error(`${name}: ${exceptionDetails.exception?.description ?? exceptionDetails.text}`)
    return result.value
  }
  await tell('Network.enable')
  await tell('Performance.enable')
  await tell('Network.emulateNetworkConditions', {
    offline: false,
    latency,
    downloadThroughput: -1,
    uploadThroughput: -1,
  })
  await tell('Emulation.setCPUThrottlingRate', { rate })
  await sleep(settleMs)
  const documents = new Set()
  let bytes = 0
  on('Network.responseReceived', ({ type, requestId }) => type === 'Document' && documents.add(requestId))
  on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
    if (!documents.has(requestId)) bytes += encodedDataLength
  })
  await tell('Page.navigate', { url: `${origin}/page/${encodeURIComponent(name)}` })
  const until = performance.now() + longestMs
  while (!(await ask('document.readyState === "complete" && !!window.seen?.bannerAt'))) {
    if (performance.now() > until) throw new Error(`${name}: no banner`)
    await sleep(100)
  }
  await sleep(restMs)
  const { metrics } = await tell('Performance.getMetrics')
  const cost = (key) => metrics.find((one) => one.name === key).value * 1000
  const first = { bytes, script: cost('ScriptDuration'), thread: cost('TaskDuration') }
  const { accept } = targets[name]
  if (accept) {
    const { x, y } = await ask(
      `(({ x, y, width, height }) => ({ x: x + width / 2, y: y + height / 2 }))((${accept}).getBoundingClientRect())`,
    )
    const mouse = { x, y, button: 'left', clickCount: 1 }
    await tell('Input.dispatchMouseEvent', { type: 'mousePressed', ...mouse })
    await tell('Input.dispatchMouseEvent', { type: 'mouseReleased', ...mouse })
    const isThere = `!!(${accept.replace('.shadowRoot', '?.shadowRoot')})?.checkVisibility({ visibilityProperty: true, opacityProperty: true })`
    while (await ask(isThere)) {
      if (performance.now() > until) throw new Error(`${name}: the banner is still there after a click`)
      await sleep(100)
    }
    await sleep(restMs)
  }
  const { bannerAt, shifted, largest, click } = await ask('seen')
  await send('Target.disposeBrowserContext', { browserContextId })
  return { ...first, banner: bannerAt, shifted, largest, click }
}

/** The value that this part of all are not above. */
function share(costs, key, part) {
  const sorted = costs.map((cost) => cost[key]).sort((a, b) => a - b)
  return sorted[Math.ceil(sorted.length * part) - 1]
}

const server = createServer((request, response) => {
  answer(request, response).catch((error) => {
    console.error(error)
    response.writeHead(500).end()
  })
})
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
const origin = `http://localhost:${server.address().port}`
avow = await createAvow({
  data: 'unused',
  storage: createMemoryStorage(),
  escrowOf: () => ({
    highest: () => null,
    tombstones: () => [],
    put: async () => {},
    putTombstones: async () => {},
    close() {},
  }),
  seedOf: () => new Uint8Array(32),
  publicUrl: `${origin}/_avow`,
  sites: [{ site, policy, origins: [origin], publicLog: false }],
  rateLimit: null,
  keys: [generateKey()],
})

const browser = launch(findChromium())
const costs = Object.fromEntries(wanted.map((name) => [name, []]))
const failed = []
try {
  for (let at = -warmUps; at < loads; at++) {
    for (const name of wanted) {
      try {
        const cost = await visit(browser, origin, name)
        if (at >= 0) costs[name].push(cost)
      } catch (error) {
        failed.push(error.message)
      }
    }
  }
  const both = (all, key) => [0.5, 0.9].map((part) => share(all, key, part).toFixed(0)).join(' / ')
  console.log(
    `${loads} loads each at 1/${rate} of the speed, ${latency} ms a round trip; load average ${loadavg()[0].toFixed(1)}`,
  )
  console.log('| median / p90 | bytes | banner ms | script ms | main thread ms | click ms | CLS | largest paint |')
  console.log('| --- | --- | --- | --- | --- | --- | --- | --- |')
  for (const [name, all] of Object.entries(costs)) {
    if (all.length === 0) continue
    const cells = [
      ...[name, share(all, 'bytes', 0.5).toLocaleString('en')],
      ...['banner', 'script', 'thread', 'click'].map((key) => both(all, key)),
      ...[share(all, 'shifted', 1).toFixed(3), [...new Set(all.map(({ largest }) => largest))].join(', ')],
    ]
    console.log(`| ${cells.join(' | ')} |`)
  }
  for (const reason of new Set(failed))
    console.error(`${failed.filter((one) => one === reason).length} failed: ${reason}`)
} finally {
  await browser.close()
  server.closeAllConnections()
  server.close()
  await avow.close()
}
