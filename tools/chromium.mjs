/**
 * Finds the Chromium that the browser stories run in: the one named, the system's, Playwright's own; and on a CI
 * machine that has none, installs one. Run by itself it prints the path.
 */
import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium } from '@playwright/test'

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome']

const applications = [
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
]

export function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    // Absent or not ours to run: the next place is asked.
    return false
  }
}

/** The browser that is already here, or null. */
export function locateChromium(env = process.env) {
  if (env.CHROME_PATH) {
    if (isExecutable(env.CHROME_PATH)) return env.CHROME_PATH
    // Taking another browser than the one asked for would test something else than was meant.
    throw new Error(`CHROME_PATH names ${env.CHROME_PATH}, which can't be run; correct it or unset it`)
  }
  const folders = (env.PATH ?? '').split(delimiter).filter(Boolean)
  const onPath = folders.flatMap((folder) => names.map((name) => join(folder, name)))
  return [...onPath, ...applications, chromium.executablePath()].find((path) => path && isExecutable(path)) ?? null
}

const isRoot = () => process.getuid?.() === 0

/** The one line that puts a browser on this machine. */
export const installLine = () =>
  isRoot() && existsSync('/usr/bin/apt-get')
    ? 'apt-get update && apt-get install -y --no-install-recommends chromium'
    : 'npx playwright install chromium'

function install() {
  console.log(`no Chromium on this machine; installing one: ${installLine()}`)
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  spawnSync(installLine(), { shell: true, stdio: ['ignore', 'inherit', 'inherit'], env })
}

/** What `locateChromium` answers. Where it refuses, the reason is for a person: one line, and no stack of ours. */
function locateOrEnd() {
  try {
    return locateChromium()
  } catch (error) {
    console.error(error.message)
    process.exit(1)
  }
}

/** The browser to test in. Installs one under `CI`; anywhere else it says how to, and ends the process. */
export function findChromium() {
  const here = locateOrEnd()
  if (here) return here
  if (process.env.CI) {
    install()
    const installed = locateChromium()
    if (installed) return installed
  }
  console.error(`no Chromium found for the browser stories; set CHROME_PATH, or run: ${installLine()}`)
  process.exit(1)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(findChromium())
