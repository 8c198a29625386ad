/** Which browser the stories run in: the one named, or the first that is there. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { locateChromium } from './chromium.mjs'

const folder = mkdtempSync(join(tmpdir(), 'avow-chromium-'))
afterAll(() => rmSync(folder, { recursive: true }))

function program(name: string, mode: number): string {
  const path = join(folder, name)
  writeFileSync(path, '#!/bin/sh\n')
  chmodSync(path, mode)
  return path
}

test('the browser on the PATH is taken, and CHROME_PATH goes before it', () => {
  const onPath = program('chromium', 0o755)
  const named = program('my-browser', 0o755)
  expect(locateChromium({ PATH: folder })).toBe(onPath)
  expect(locateChromium({ PATH: folder, CHROME_PATH: named })).toBe(named)
})

test('a CHROME_PATH that can not be run is an error, never another browser', () => {
  program('chromium', 0o755)
  expect(() => locateChromium({ PATH: folder, CHROME_PATH: join(folder, 'absent') })).toThrow(/CHROME_PATH names/)
})

test('a file on the PATH that is no program is passed over', () => {
  program('chromium', 0o755)
  const notExecutable = program('google-chrome', 0o644)
  expect(locateChromium({ PATH: folder })).not.toBe(notExecutable)
})
