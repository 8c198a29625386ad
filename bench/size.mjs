/**
 * What a browser downloads, in bytes, against the budgets. The files are asked of the real server with the demo's
 * policy, so that the site's configuration in front of the loader counts too. Exits 1 above a budget.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

const root = fileURLToPath(new URL('..', import.meta.url))
const manifest = JSON.parse(readFileSync(join(root, 'packages/sdk/dist/manifest.json'), 'utf8'))
const policy = JSON.parse(readFileSync(join(root, 'demo/policy.json'), 'utf8'))
const { createAvow, generateKey } = await import(join(root, 'packages/server/dist/index.js'))

const site = 'fr-apiaas'

/** Who downloads it, and the most it may weigh. Wished for: 3,500 of the loader, 1,200 of the settings; see README.md. */
const files = [
  { name: 'loader', path: `/v1/sites/${site}/avow.js`, budget: 3700, who: 'every page' },
  { name: 'ui', path: `/${manifest.ui}`, budget: 7700, who: 'a visitor who has to decide' },
  { name: 'settings', path: `/${manifest.settings}`, budget: 1810, who: 'the account page, beside the UI file' },
  { name: 'account', path: `/${manifest.account}`, budget: 1650, who: 'a page that somebody signs in or out on' },
  { name: 'pinned', path: `/${manifest.pinned}`, budget: null, who: 'every page of a site that pins it by its hash' },
  { name: 'notice', path: `/v1/sites/${site}/notice?lang=en`, budget: null, who: 'a visitor who has to decide' },
]

function brotliSize(bytes) {
  const params = {
    [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
    [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
  }
  return brotliCompressSync(bytes, { params }).length
}

async function served(app, path) {
  const answer = await app.request(path)
  if (answer.status !== 200) throw new Error(`${path}: expected 200, got ${answer.status}`)
  return Buffer.from(await answer.arrayBuffer())
}

const row = (...cells) => cells.map((cell, at) => (at === 0 ? cell.padEnd(10) : cell.padStart(9))).join('')
const figure = (number) => number.toLocaleString('en')

const data = mkdtempSync(join(tmpdir(), 'avow-size-'))
const avow = await createAvow({
  data,
  publicUrl: 'http://localhost:8787/_avow',
  sites: [{ site, policy, origins: ['http://localhost:8787'], publicLog: true }],
  rateLimit: null,
  keys: [generateKey()],
})

/** What a first visit downloads, and the most that all of it may weigh. */
const firstVisit = ['loader', 'ui', 'notice']
const firstVisitBudget = 12_900

let above = 0
let first = 0
try {
  console.log(`${row('file', 'raw', 'gzip', 'brotli', 'budget')}   who downloads it`)
  for (const { name, path, budget, who } of files) {
    const bytes = await served(avow.app, path)
    const size = brotliSize(bytes)
    if (firstVisit.includes(name)) first += size
    const limit = budget === null ? '–' : figure(budget)
    console.log(`${row(name, figure(bytes.length), figure(gzipSync(bytes).length), figure(size), limit)}   ${who}`)
    if (budget === null || size <= budget) continue
    above++
    console.error(`${name} is ${size - budget} bytes above its budget of ${budget}`)
  }
  console.log(`first visit: ${figure(first)} of ${figure(firstVisitBudget)} (${firstVisit.join(', ')})`)
  if (first > firstVisitBudget) above++
} finally {
  await avow.close()
  rmSync(data, { recursive: true, force: true })
}
process.exitCode = above > 0 ? 1 : 0
