/** Which engines the stories of `e2e/engines` are told in: those of the system before Playwright's own, and never another than was named. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { locateEngines, summarise } from './engines.mjs'

const root = mkdtempSync(join(tmpdir(), 'avow-engines-'))
afterAll(() => rmSync(root, { recursive: true }))

/** A folder with such programs in it, for a PATH. */
function folder(...names: readonly string[]): string {
  const made = mkdtempSync(join(root, 'bin-'))
  for (const name of names) {
    writeFileSync(join(made, name), '#!/bin/sh\n')
    chmodSync(join(made, name), 0o755)
  }
  return made
}

const nowhere = { firefox: join(root, 'absent'), webkit: join(root, 'absent') }

test('Firefox and WebKitGTK are taken from the PATH', () => {
  const PATH = folder('firefox-esr', 'firefox', 'WebKitWebDriver', 'Xvfb')
  expect(locateEngines({ PATH }, nowhere)).toEqual({
    engines: [
      { name: 'firefox', driver: 'puppeteer', path: join(PATH, 'firefox-esr') },
      { name: 'webkit', driver: 'selenium', path: join(PATH, 'WebKitWebDriver'), screen: join(PATH, 'Xvfb') },
    ],
    missing: [],
  })
})

test('without them they are Playwright’s own, where these have been installed', () => {
  const path = folder('firefox', 'pw_run.sh')
  const own = { firefox: join(path, 'firefox'), webkit: join(path, 'pw_run.sh') }
  expect(locateEngines({ PATH: folder() }, own)).toEqual({
    engines: [
      { name: 'firefox', driver: 'playwright', path: own.firefox },
      { name: 'webkit', driver: 'playwright', path: own.webkit },
    ],
    missing: [],
  })
})

test('what is not here is named, and WebKitGTK without a screen of its own is not here', () => {
  expect(locateEngines({ PATH: folder() }, nowhere)).toEqual({ engines: [], missing: ['firefox', 'webkit'] })
  expect(locateEngines({ PATH: folder('WebKitWebDriver') }, nowhere).missing).toEqual(['firefox', 'webkit'])
})

test('FIREFOX_PATH goes before the PATH, and one that can not be run is an error, never another browser', () => {
  const PATH = folder('firefox-esr')
  const named = join(folder('my-firefox'), 'my-firefox')
  expect(locateEngines({ PATH, FIREFOX_PATH: named }, nowhere).engines).toMatchObject([
    { name: 'firefox', path: named },
  ])
  expect(() => locateEngines({ PATH, FIREFOX_PATH: join(root, 'absent') }, nowhere)).toThrow(/FIREFOX_PATH names/)
})

test('the engines of a run are named as they name themselves, with how many stories passed and failed in each', () => {
  const told = (engine: string, ...results: readonly { status: string; duration: number }[]) => ({
    tests: [{ annotations: [{ type: 'engine', description: engine }], results }],
  })
  const passed = { status: 'passed', duration: 1000 }
  const failed = { status: 'failed', duration: 500 }
  const report = {
    suites: [
      {
        specs: [told('firefox 153, by Puppeteer', passed)],
        suites: [{ specs: [told('firefox 153, by Puppeteer', failed)] }],
      },
      // At the second try; and one that no engine was opened for.
      {
        specs: [
          told('WebKitGTK 2.50, by Selenium', failed, passed),
          { tests: [{ annotations: [], results: [failed] }] },
        ],
      },
    ],
  }
  expect(summarise(report)).toEqual([
    'firefox 153, by Puppeteer: 1 stories passed, 1 failed (1.5 s)',
    'WebKitGTK 2.50, by Selenium: 1 stories passed, 0 failed (1.0 s)',
  ])
})
