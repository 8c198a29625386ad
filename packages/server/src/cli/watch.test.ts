/** The watcher: it never lets go of what it saw, and tells a fork from a bad network. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { createSigner } from '../ledger/signer.js'
import { testFolder } from '../test-folder.js'
import { logSigner, type TestLog, testEntries, testLog } from '../verify/test-log.js'
import { LOG_URL, testWeb } from './test-web.js'
import { watch } from './watch.js'

let folder: string
let state: string
let printed: string[]
let served: TestLog
let web: ReturnType<typeof testWeb>
beforeEach(() => {
  folder = testFolder()
  state = path.join(folder, 'state')
  printed = []
  served = testLog(testEntries(300))
  web = testWeb(() => served.files)
})

const args = () => [LOG_URL, '--vkey', logSigner.vkey, '--state', state]
const run = (...more: string[]) => watch([...args(), ...more], web, (line: string) => printed.push(line))
/** The log as it is, with another checkpoint in front. */
const serving = (note: string): TestLog => ({
  ...served,
  note,
  files: new Map([...served.files, ['checkpoint', new TextEncoder().encode(note)]]),
})
const evidence = () => readdirSync(folder).filter((name) => name.startsWith('state.evidence-'))
const evidenceTexts = () => evidence().map((name) => readFileSync(path.join(folder, name), 'utf8'))

test('the first checkpoint is taken, and each that grew from it takes its place', async () => {
  expect(await run('--once')).toBe(0)
  expect(readFileSync(state, 'utf8')).toBe(served.note)
  served = testLog(testEntries(70_000))
  expect(await run('--once')).toBe(0)
  expect(await run('--once')).toBe(0)
  expect(readFileSync(state, 'utf8')).toBe(served.note)
  expect(printed).toEqual([
    'dash.example/log/shop has 300 entries; from here on it is watched',
    'dash.example/log/shop grew from 300 to 70000 entries',
    'dash.example/log/shop still has 70000 entries',
  ])
  expect(readdirSync(folder)).toEqual(['state'])
})

test.each([
  ['forked and grown', () => testLog(testEntries(400, 'other ')), /^false: fork: .*not a prefix/],
  [
    'forked at the same size',
    () => testLog(testEntries(300, 'other ')),
    /^false: fork: two different logs of size 300/,
  ],
  [
    'rolled back',
    () => testLog(testEntries(299)),
    /^false: rollback: .* had 300 entries, and now serves 299 without .*tile\/0\/001.p\/44 is missing/,
  ],
  [
    'rolled back and forked',
    () => serving(testLog(testEntries(299, 'other ')).note),
    /^false: rollback: .*not a prefix/,
  ],
  ['emptied', () => testLog([]), /^false: rollback: .* had 300 entries, and now serves none/],
  ['emptied in its checkpoint alone', () => serving(testLog([]).note), /^false: rollback: .*, and now serves none/],
])('a log that was %s gives 1, and both checkpoints are kept', async (_, other, words) => {
  const first = served.note
  await run('--once')
  served = other()
  expect(await run()).toBe(1)
  expect(printed.at(-1)).toMatch(words)
  expect(evidenceTexts().toSorted()).toEqual([first, served.note].toSorted())
  for (const name of evidence()) expect(printed.at(-1)).toContain(name)
  // What was seen stays what counts: asked again, it is still false.
  expect(readFileSync(state, 'utf8')).toBe(first)
  expect(await run('--once')).toBe(1)
})

test('a checkpoint that somebody else signed gives 1, and is kept', async () => {
  await run('--once')
  served = testLog(testEntries(301), createSigner(logSigner.name, new Uint8Array(32).fill(7)))
  expect(await run('--once')).toBe(1)
  expect(evidenceTexts()).toContain(served.note)
})

test('growth that the log’s own tiles don’t show gives 1', async () => {
  await run('--once')
  served = testLog(testEntries(600))
  served.files.delete('tile/0/001')
  expect(await run('--once')).toBe(1)
  expect(printed.at(-1)).toContain('fork: tile/0/001 is missing')
})

test('an older checkpoint of the same log is told as stale, is no fork, and takes no place', async () => {
  const first = served.note
  await run('--once')
  served = serving(testLog(testEntries(299)).note)
  expect(await run('--once')).toBe(3)
  expect(printed.at(-1)).toBe(
    'stale: dash.example/log/shop serves 299 entries, older than the 300 that were seen; consistent with them',
  )
  expect(readFileSync(state, 'utf8')).toBe(first)
  expect(readdirSync(folder)).toEqual(['state'])
  served = testLog(testEntries(300))
  expect(await run('--once')).toBe(0)
})

test('a log that stays stale for ten rounds gives 3; one that catches up in between is only told', async () => {
  await run('--once')
  const whole = served
  const stale = serving(testLog(testEntries(299)).note)
  let round = 0
  web.onWait = () => {
    round++
    // Nine rounds that are stale and one that is well; then ten, with one between that could not ask and so says nothing.
    served = round === 10 ? whole : stale
    web.instead = () => (round === 16 ? new Response('', { status: 500 }) : null)
  }
  expect(await run()).toBe(3)
  expect(round).toBe(21)
})

test('a bad network is no fork: with --once it could not be asked, else it is asked again', async () => {
  await run('--once')
  web.instead = () => new TypeError('fetch failed', { cause: new Error('no route to host') })
  await expect(run('--once')).rejects.toThrow('no route to host')
  let rounds = 0
  web.onWait = () => {
    rounds++
    if (rounds === 1) web.instead = () => new Response('', { status: 404 })
    if (rounds === 2) web.instead = () => null
    if (rounds === 4) served = testLog(testEntries(300, 'other '))
  }
  expect(await run('--interval', '30')).toBe(1)
  expect(web.waited).toEqual([30_000, 30_000, 30_000, 30_000])
  expect(printed.slice(1, 3)).toEqual(
    ['no route', 'no log'].map((why) => expect.stringMatching(`^could not ask, will again in 30 s: .*${why}`)),
  )
  expect(printed.slice(3, 5)).toEqual(Array(2).fill('dash.example/log/shop still has 300 entries'))
})

test('the state of another log, or a broken one, is not overwritten, and says nothing about this log', async () => {
  for (const wrong of ['', 'broken', testLog(testEntries(2), createSigner('other.example', new Uint8Array(32))).note]) {
    writeFileSync(state, wrong)
    await expect(run('--once')).rejects.toThrow(state)
    expect(readFileSync(state, 'utf8')).toBe(wrong)
  }
})

test('what is missing on the command line is named', async () => {
  await expect(watch([], web)).rejects.toThrow('URL')
  await expect(watch([LOG_URL], web)).rejects.toThrow('--vkey')
  await expect(watch([LOG_URL, '--vkey', 'x'], web)).rejects.toThrow('--state')
  await expect(watch([LOG_URL, '--vkey', 'x', '--state', state], web)).rejects.toThrow('verifier key')
  await expect(run('--interval', '0')).rejects.toThrow('--interval')
})
