/** What is written is there whole, or not at all, and nobody else's to read. */
import { spawnSync } from 'node:child_process'
import { existsSync, linkSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { expect, test } from 'vitest'
import { testFolder } from '../test-folder.js'
import { createFile, destroyFile, replaceFile } from './durable-file.js'

const LONG = 'k'.repeat(3000)

/** Calls a function of this file in a process whose files may have a kilobyte each: the system writes that, and no more. */
function onSmallDisk(call: string, file: string, calls: string | null = null) {
  const source = readFileSync(fileURLToPath(new URL('durable-file.ts', import.meta.url)), 'utf8')
  const { outputText } = ts.transpileModule(source, { compilerOptions: { module: ts.ModuleKind.ESNext } })
  const program = path.join(testFolder(), 'program.mjs')
  writeFileSync(program, `${outputText}\n${call}(${JSON.stringify(file)}, 'k'.repeat(3000))`)
  const traced = calls === null ? [] : ['strace', '-f', '-y', '-e', 'trace=fsync,rename', '-o', calls]
  const command = [...traced, process.execPath, program].map((word) => `'${word}'`).join(' ')
  return spawnSync('bash', ['-c', calls === null ? `ulimit -f 1; ${command}` : command], { encoding: 'utf8' })
}

test('a file that is there already is left as it is', () => {
  const file = path.join(testFolder(), 'a')
  createFile(file, 'first')
  expect(() => createFile(file, 'second')).toThrow(/EEXIST/)
  expect(readFileSync(file, 'utf8')).toBe('first')
  expect(statSync(file).mode & 0o777).toBe(0o600)
})

test('where only a part is taken, making a file fails, and nothing of it is left', () => {
  const folder = testFolder()
  const { status, stderr } = onSmallDisk('createFile', path.join(folder, 'a'))
  expect(stderr).toMatch(/only \d+ of 3000 bytes were written/)
  expect(status).toBe(1)
  expect(readdirSync(folder)).toEqual([])
})

test('where only a part is taken, replacing a file fails, and it stays what it was', () => {
  const folder = testFolder()
  const file = path.join(folder, 'a')
  createFile(file, 'before')
  expect(onSmallDisk('replaceFile', file).stderr).toMatch(/only \d+ of 3000 bytes were written/)
  expect(readdirSync(folder)).toEqual(['a'])
  expect(readFileSync(file, 'utf8')).toBe('before')
})

test('a file is replaced whole, and what a crash left of an earlier try is overwritten', () => {
  const folder = testFolder()
  const file = path.join(folder, 'a')
  createFile(file, 'before')
  writeFileSync(`${file}.new`, 'half a key')
  linkSync(`${file}.new`, path.join(folder, 'bytes'))
  replaceFile(file, LONG)
  expect(readFileSync(file, 'utf8')).toBe(LONG)
  expect(existsSync(`${file}.new`)).toBe(false)
  expect(readFileSync(path.join(folder, 'bytes')).every((byte) => byte === 0)).toBe(true)
})

test('what is destroyed leaves no bytes under another name, and what isn’t there is as good as destroyed', () => {
  const folder = testFolder()
  const file = path.join(folder, 'a')
  createFile(file, LONG)
  linkSync(file, path.join(folder, 'bytes'))
  destroyFile(file)
  destroyFile(file)
  expect(readdirSync(folder)).toEqual(['bytes'])
  expect(readFileSync(path.join(folder, 'bytes')).every((byte) => byte === 0)).toBe(true)
})

const canTrace = spawnSync('strace', ['-e', 'trace=none', 'true']).status === 0
if (!canTrace) console.warn('not run: strace is not here, or may not trace: what the disk is told was not looked at')

test.skipIf(!canTrace)('the disk is told of the bytes, and then of the name, before anything goes on', () => {
  const folder = testFolder()
  const trace = path.join(testFolder(), 'trace')
  expect(onSmallDisk('replaceFile', path.join(folder, 'a'), trace).status).toBe(0)
  const calls = readFileSync(trace, 'utf8')
    .split('\n')
    .filter((line) => line.includes(folder))
  expect(calls.map((line) => /(fsync|rename)\((?:\d+<|").*?([^/>"]*)[>"]/.exec(line)?.slice(1, 3).join(' '))).toEqual([
    'fsync a.new',
    `fsync ${path.basename(folder)}`,
    'rename a.new',
    `fsync ${path.basename(folder)}`,
  ])
})
