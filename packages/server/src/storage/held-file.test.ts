import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { holdFile } from './held-file.js'
import { LockedError } from './storage.js'

const folder = mkdtempSync(path.join(tmpdir(), 'avow-held-'))
afterAll(() => rmSync(folder, { recursive: true }))

test('a file is held by one at a time, and by the next once it is let go of', () => {
  const file = path.join(folder, 'a.lock')
  const letGo = holdFile(file, 'name it otherwise')
  expect(() => holdFile(file, 'name it otherwise')).toThrow(LockedError)
  expect(() => holdFile(file, 'name it otherwise')).toThrow(/a\.lock is held by another process: name it otherwise/)
  letGo()
  holdFile(file, '')()
  expect(statSync(file).size).toBe(0)
})

test('a process that is killed holds nothing any more', async () => {
  const file = path.join(folder, 'b.lock')
  const driver = createRequire(import.meta.url).resolve('better-sqlite3')
  const program = `
    const held = new (require(${JSON.stringify(driver)}))(${JSON.stringify(file)})
    held.exec('BEGIN EXCLUSIVE')
    console.log('held')
    process.stdin.resume()`
  const other = spawn(process.execPath, ['-e', program], { stdio: ['pipe', 'pipe', 'inherit'] })
  await once(other.stdout, 'data')
  expect(() => holdFile(file, '')).toThrow(LockedError)
  other.kill('SIGKILL')
  await once(other, 'close')
  holdFile(file, '')()
})
