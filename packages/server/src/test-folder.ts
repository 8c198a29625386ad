/** Folders for the tests of one file, gone when its last test is over: tests run by the hundred, and disks fill up. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll } from 'vitest'

const folders: string[] = []

// Registered first, since imports come first, and so called last: whoever has a folder open closes it before.
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

/** An empty folder. May be asked for anywhere in a test file, also outside a test. */
export function testFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'avow-test-'))
  folders.push(folder)
  return folder
}
