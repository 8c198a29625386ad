/**
 * `npm test`: types, lint, build, unit tests, crashes, packages, size budgets, browser stories in Chromium and
 * then in each engine, in this order, and one closing line.
 *
 * A failed step doesn't stop the others, so that one run tells all there is to mend; only what needs the build is not
 * run without it, and then says so and counts as failed. Nothing is skipped in silence.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findChromium } from './chromium.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const reports = mkdtempSync(join(tmpdir(), 'avow-test-'))
const bin = (path) => [join(root, 'node_modules', path)]

/** Each runner's own report, as counts. Without a report the exit code counts as one. */
const readers = {
  vitest: (report) => ({
    passed: report.numPassedTests,
    failed: report.numFailedTests,
    skipped: report.numPendingTests + report.numTodoTests,
  }),
  playwright: ({ stats }) => {
    // One hung browser is the machine's; several stories that pass only at a second try have a fault in common.
    const forgiven = stats.flaky <= 2 ? stats.flaky : 0
    if (stats.flaky > 0) console.log(`passed only at the second try: ${stats.flaky}, named above as flaky`)
    return {
      passed: stats.expected + forgiven,
      failed: stats.unexpected + stats.flaky - forgiven,
      skipped: stats.skipped,
    }
  },
}

const vitestReport = join(reports, 'vitest.json')
const soakReport = join(reports, 'soak.json')
const enginesReport = join(reports, 'engines.json')
const packagesReport = join(reports, 'packages.json')

function browserStories(name, project) {
  const file = join(reports, `${project}.json`)
  return {
    name,
    needsBuild: true,
    run: [...bin('@playwright/test/cli.js'), 'test', `--project=${project}`, '--reporter=list,json'],
    report: { file, read: readers.playwright },
    env: { PLAYWRIGHT_JSON_OUTPUT_FILE: file },
  }
}

const steps = [
  { name: 'types', run: [...bin('typescript/bin/tsc'), '--noEmit'] },
  { name: 'lint', run: [...bin('@biomejs/biome/bin/biome'), 'check', '--error-on-warnings', '.'] },
  { name: 'build', run: [join(root, 'tools/build.mjs')] },
  {
    name: 'unit tests and arrows',
    run: [
      ...bin('vitest/vitest.mjs'),
      'run',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${vitestReport}`,
    ],
    report: { file: vitestReport, read: readers.vitest },
  },
  {
    // One file after the other: each runs servers of its own, and some measure what the disk is told and when.
    name: 'crash, disk full, restore, forgetting',
    needsBuild: true,
    run: [
      ...bin('vitest/vitest.mjs'),
      'run',
      ...['--project', 'soak', '--no-file-parallelism'],
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${soakReport}`,
    ],
    report: { file: soakReport, read: readers.vitest },
    env: { AVOW_SOAK: 'short' },
  },
  {
    name: 'packages as they are installed',
    needsBuild: true,
    run: [
      ...bin('vitest/vitest.mjs'),
      'run',
      ...['--project', 'packages'],
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${packagesReport}`,
    ],
    report: { file: packagesReport, read: readers.vitest },
    env: { AVOW_PACKAGES: '1' },
  },
  { name: 'size budgets', needsBuild: true, run: [join(root, 'bench/size.mjs')] },
  browserStories('browser stories', 'stories'),
  // Once more where the host's own scripts redefine what ours could lean on.
  browserStories('browser stories in hostile pages', 'hostile'),
  // In every engine that is here; it says which these were, and which are not here.
  {
    name: 'banner, dialog and settings in each engine',
    needsBuild: true,
    run: [join(root, 'tools/engines.mjs')],
    report: { file: enginesReport, read: readers.playwright },
    env: { PLAYWRIGHT_JSON_OUTPUT_FILE: enginesReport },
  },
]

function count(step, status) {
  const asOne = status === 0 ? { passed: 1, failed: 0, skipped: 0 } : { passed: 0, failed: 1, skipped: 0 }
  if (!step.report || !existsSync(step.report.file)) return asOne
  const counts = step.report.read(JSON.parse(readFileSync(step.report.file, 'utf8')))
  // A file that couldn't be loaded, or an error outside any test: the runner fails though no test did.
  if (status !== 0 && counts.failed === 0) return { ...counts, failed: 1 }
  return counts
}

const totals = { passed: 0, failed: 0, skipped: 0 }
const failedSteps = []

function add(step, counts) {
  for (const key of Object.keys(totals)) totals[key] += counts[key]
  if (counts.failed > 0) failedSteps.push(step.name)
}

// Found before anything else, so that a machine without a browser says so in the first second.
const env = { ...process.env, CHROME_PATH: findChromium() }

for (const step of steps) {
  console.log(`\n── ${step.name} ──`)
  if (step.needsBuild && failedSteps.includes('build')) {
    console.log('not run: there is no build to run it on')
    add(step, { passed: 0, failed: 1, skipped: 0 })
    continue
  }
  const started = performance.now()
  const { status } = spawnSync(process.execPath, step.run, {
    cwd: root,
    stdio: 'inherit',
    env: { ...env, ...step.env },
  })
  const counts = count(step, status)
  add(step, counts)
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  console.log(`${step.name}: ${counts.failed === 0 ? 'ok' : 'FAILED'} (${seconds} s)`)
}

rmSync(reports, { recursive: true, force: true })
console.log(failedSteps.length > 0 ? `\nfailed: ${failedSteps.join(', ')}` : '')
if (totals.skipped > 0) console.log(`not run: ${totals.skipped}, each with its reason above`)
// Whoever reads the result by machine reads this line, so it always has the same form.
console.log(`${totals.passed} passed, ${totals.failed} failed`)
process.exitCode = totals.failed > 0 ? 1 : 0
