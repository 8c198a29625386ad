/**
 * Finds the engines that the stories of `e2e/engines` run in: Chromium, and the system's Firefox and WebKitGTK or else
 * Playwright's own. On a CI machine it installs what is missing. Run by itself it tells the stories in each, and says which
 * these were, and which were not there.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { firefox, webkit } from '@playwright/test'
import { findChromium, isExecutable } from './chromium.mjs'

/** Debian's packages, and the programs of theirs that are started. */
const packages = {
  firefox: ['firefox-esr'],
  webkit: ['webkit2gtk-driver', 'xvfb'],
}

/** A slow mirror must not hold up a run that can do without. */
const installMs = 240_000

function onPath(env, ...names) {
  const folders = (env.PATH ?? '').split(delimiter).filter(Boolean)
  return folders.flatMap((folder) => names.map((name) => join(folder, name))).find(isExecutable) ?? null
}

function locateFirefox(env, own) {
  if (env.FIREFOX_PATH) {
    if (isExecutable(env.FIREFOX_PATH)) return { name: 'firefox', driver: 'puppeteer', path: env.FIREFOX_PATH }
    // Taking another browser than the one asked for would test something else than was meant.
    throw new Error(`FIREFOX_PATH names ${env.FIREFOX_PATH}, which can't be run; correct it or unset it`)
  }
  const path = onPath(env, 'firefox-esr', 'firefox')
  if (path) return { name: 'firefox', driver: 'puppeteer', path }
  return isExecutable(own) ? { name: 'firefox', driver: 'playwright', path: own } : null
}

function locateWebKit(env, own) {
  const path = onPath(env, 'WebKitWebDriver')
  const screen = onPath(env, 'Xvfb')
  // Without a screen of its own its windows would open on the one that somebody is looking at.
  if (path && screen) return { name: 'webkit', driver: 'selenium', path, screen }
  return isExecutable(own) ? { name: 'webkit', driver: 'playwright', path: own } : null
}

/**
 * The engines besides Chromium that are here, and the names of those that are not. `own`: where Playwright keeps its own, which
 * its driver alone can start.
 */
export function locateEngines(
  env = process.env,
  own = { firefox: firefox.executablePath(), webkit: webkit.executablePath() },
) {
  const found = { firefox: locateFirefox(env, own.firefox), webkit: locateWebKit(env, own.webkit) }
  return {
    engines: Object.values(found).filter(Boolean),
    missing: Object.keys(found).filter((name) => !found[name]),
  }
}

/** Every engine of this machine; Chromium is always there, or nothing runs at all. */
export const findEngines = () => [
  { name: 'chromium', driver: 'playwright', path: findChromium() },
  ...locateEngines().engines,
]

const hasApt = () => process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')

const installLine = (missing) =>
  hasApt()
    ? `apt-get update && apt-get install -y --no-install-recommends ${missing.flatMap((name) => packages[name]).join(' ')}`
    : `npx playwright install --with-deps ${missing.join(' ')}`

/** On a CI machine with apt; what can't be installed is said, and the stories go on without. */
function install(missing) {
  console.log(`no ${missing.join(', no ')} on this machine; installing: ${installLine(missing)}`)
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const stdio = ['ignore', 'ignore', 'inherit']
  const { status } = spawnSync(installLine(missing), { shell: true, stdio, env, timeout: installMs })
  if (status !== 0) console.log('that did not work; the stories go on without')
}

/** Every test of a report, whatever files and groups it stands in. */
const testsOf = ({ suites = [], specs = [] }) => [
  ...specs.flatMap(({ tests }) => tests),
  ...suites.flatMap((suite) => testsOf(suite)),
]

/** One line for each engine that a story was told in, by the name that the engine gave itself. */
export function summarise(report) {
  const lines = new Map()
  for (const { annotations, results } of testsOf(report)) {
    const engine = annotations.find(({ type }) => type === 'engine')?.description
    const last = results.at(-1)
    if (!engine || !last) continue
    const { passed = 0, failed = 0, ms = 0 } = lines.get(engine) ?? {}
    const isPassed = last.status === 'passed'
    lines.set(engine, { passed: passed + isPassed, failed: failed + !isPassed, ms: ms + last.duration })
  }
  return [...lines].map(
    ([engine, { passed, failed, ms }]) =>
      `${engine}: ${passed} stories passed, ${failed} failed (${(ms / 1000).toFixed(1)} s)`,
  )
}

function main(more) {
  const before = locateEngines().missing
  if (before.length > 0 && process.env.CI && hasApt()) install(before)
  const folder = mkdtempSync(join(tmpdir(), 'avow-engines-'))
  const report = process.env.PLAYWRIGHT_JSON_OUTPUT_FILE ?? join(folder, 'report.json')
  const cli = fileURLToPath(new URL('../node_modules/@playwright/test/cli.js', import.meta.url))
  const projects = findEngines().map(({ name }) => `--project=${name}`)
  const { status } = spawnSync(process.execPath, [cli, 'test', ...projects, '--reporter=list,json', ...more], {
    stdio: 'inherit',
    env: { ...process.env, PLAYWRIGHT_JSON_OUTPUT_FILE: report },
  })
  if (existsSync(report)) for (const line of summarise(JSON.parse(readFileSync(report, 'utf8')))) console.log(line)
  rmSync(folder, { recursive: true })
  const { missing } = locateEngines()
  if (missing.length > 0)
    console.log(`told in no ${missing.join(' and no ')}, for it is not here: ${installLine(missing)}`)
  process.exitCode = status ?? 1
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main(process.argv.slice(2))
