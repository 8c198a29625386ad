/** The command that says by its exit status whether something is true: 0, 1, and never one of them when it could not be checked. */
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { TestWitness } from '../ledger/test-witness.js'
import { testFolder } from '../test-folder.js'
import { createEvidencePage } from '../verify/page/document.js'
import { signer, testBundle, testReceipt } from '../verify/test-bundle.js'
import { logSigner, testEntries, testLog } from '../verify/test-log.js'
import { UnreachableError } from './log-source.js'
import { LOG_URL, testWeb } from './test-web.js'
import { verify } from './verify.js'

let folder: string
let printed: string[]
beforeEach(() => {
  folder = testFolder()
  printed = []
})

const log = testLog(testEntries(300))
const web = testWeb(() => log.files)
const run = (...args: string[]) => verify(args, web, (line: string) => printed.push(line))
const runWith = (other: typeof web, ...args: string[]) => verify(args, other, (line: string) => printed.push(line))

function file(name: string, content: string | Uint8Array): string {
  const at = path.join(folder, name)
  mkdirSync(path.dirname(at), { recursive: true })
  writeFileSync(at, content)
  return at
}

function logFolder(files: ReadonlyMap<string, Uint8Array>): string {
  for (const [name, bytes] of files) file(`log/${name}`, bytes)
  return path.join(folder, 'log')
}

test('a bundle, a receipt, a folder and a URL that are true give 0, and say what is', async () => {
  expect(await run(file('a.json', JSON.stringify(testBundle().bundle)), '--vkey', signer.vkey)).toBe(0)
  expect(await run(file('a.tlog-proof', testReceipt()), '--vkey', signer.vkey)).toBe(0)
  expect(await run(logFolder(log.files), '--vkey', logSigner.vkey)).toBe(0)
  expect(await run(LOG_URL, '--vkey', logSigner.vkey)).toBe(0)
  expect(printed.filter((line) => line.startsWith('true: '))).toHaveLength(4)
  expect(printed.at(-1)).toBe(
    'true: all 300 entries of dash.example/log/shop, every tile of every level, and the checkpoint agree',
  )
})

test('what is false gives 1, and the first false thing', async () => {
  const { bundle } = testBundle()
  bundle.records[0].evidence.action = 'reject-all'
  expect(await run(file('a.json', JSON.stringify(bundle)), '--vkey', signer.vkey)).toBe(1)
  expect(await run(file('b.json', '{"half":'), '--vkey', signer.vkey)).toBe(1)
  expect(await run(file('c.json', Uint8Array.of(0xff, 0xfe)), '--vkey', signer.vkey)).toBe(1)
  const spoilt = new Map(log.files)
  spoilt.delete('tile/1/000.p/1')
  expect(await run(logFolder(spoilt), '--vkey', logSigner.vkey)).toBe(1)
  expect(
    await runWith(
      testWeb(() => spoilt),
      LOG_URL,
      '--vkey',
      logSigner.vkey,
    ),
  ).toBe(1)
  expect(await run(LOG_URL, '--vkey', signer.vkey)).toBe(1)
  expect(printed.every((line) => line.startsWith('false: '))).toBe(true)
  expect(printed.slice(3, 5)).toEqual(Array(2).fill('false: tile/1/000.p/1 is missing'))
})

test('records of who is not proved are told apart from those of the person', async () => {
  const { bundle } = testBundle({ tombstone: { grade: 'unlink', index: 2 } })
  Object.assign(bundle.records[0], { identity: null, secrets: { ...bundle.records[0].secrets, identity: null } })
  expect(await run(file('a.json', JSON.stringify(bundle)), '--vkey', signer.vkey)).toBe(0)
  expect(printed[0]).toContain(`true: 1 records of ${bundle.subject} are in`)
  expect(printed[1]).toBe('1 more whose person is not proved')
  expect(printed.filter((line) => line.endsWith('  person not proved'))).toHaveLength(1)
  const [, record] = bundle.records
  const foreign = {
    ...bundle,
    subject: 'A'.repeat(43),
    records: bundle.records.filter((one: object) => one !== record),
  }
  expect(await run(file('b.json', JSON.stringify(foreign)), '--vkey', signer.vkey)).toBe(1)
})

test('what says one thing to who parses it and another to who reads it is false', async () => {
  const text = JSON.stringify(testBundle().bundle)
  const doubled = (from: string, to: string) => text.replace(from, to)
  const page = createEvidencePage(testBundle().bundle, 'check()').html
  const choices = '"choices":{"analytics":true}'
  const receipt = testReceipt()
  const extra = /^extra (.*)$/m.exec(receipt)![1]!
  const opening = Buffer.from(extra, 'base64').toString()
  const files = [
    file('a.json', doubled(choices, `"choices":{"analytics":false},${choices}`)),
    file('b.json', doubled('{"analytics":true}', String.raw`{"analytics":false,"\u0061nalytics":true}`)),
    file('c.json', doubled('{"format"', '{"records":[],"format"')),
    file('d.html', page.replace(choices, `"choices":{"analytics":false},${choices}`)),
    file(
      'e.tlog-proof',
      receipt.replace(
        extra,
        Buffer.from(opening.replace(choices, `"choices":{"analytics":false},${choices}`)).toString('base64'),
      ),
    ),
  ]
  for (const one of files) expect(await run(one, '--vkey', signer.vkey), one).toBe(1)
  expect(printed).toEqual(Array(5).fill('false: an object in the file has the same name twice'))
})

test('what could not be checked is neither: no file, no key, a key one can’t read, no network', async () => {
  const receipt = file('a.tlog-proof', testReceipt())
  const refused: [string[], RegExp][] = [
    [[], /--vkey/],
    [['--vkey', signer.vkey], /FILE/],
    [[receipt], /--vkey/],
    [[receipt, '--vkey', 'dash.example+00000000+AAAA'], /verifier key|base64/],
    [[receipt, receipt, '--vkey', signer.vkey], /FILE/],
    [[path.join(folder, 'nowhere'), '--vkey', signer.vkey], /ENOENT/],
    [[receipt, '--vkey', signer.vkey, '--policy', path.join(folder, 'nowhere')], /ENOENT/],
    [[receipt, '--vkey', signer.vkey, '--policy', file('policy', 'quorum many')], /policy, line 1/],
    [['--consistency', receipt, '--vkey', signer.vkey, '--log', LOG_URL], /--consistency/],
    [['--consistency', receipt, receipt, '--vkey', signer.vkey], /--log/],
    [['https://', '--vkey', signer.vkey], /URL/],
    [[`${LOG_URL}/elsewhere`, '--vkey', signer.vkey], /no log to check/],
    [[folder, '--vkey', signer.vkey], /no log to check/],
  ]
  for (const [args, words] of refused) await expect(run(...args), args.join(' ')).rejects.toThrow(words)
  const answers: [() => Response | Error, RegExp][] = [
    [() => new TypeError('fetch failed', { cause: new Error('connection refused') }), /connection refused/],
    [() => new Response('', { status: 500 }), /answered 500/],
    [() => new Response('', { status: 401 }), /answered 401/],
    [() => new Response('', { status: 503 }), /answered 503/],
    [() => new Response(endless()), /does not end/],
  ]
  for (const [answer, words] of answers) {
    const away = testWeb(() => log.files)
    away.instead = (asked) => (asked === 'tile/0/000' ? answer() : null)
    const checking = runWith(away, LOG_URL, '--vkey', logSigner.vkey)
    await expect(checking).rejects.toThrow(UnreachableError)
    await expect(checking).rejects.toThrow(words)
  }
  expect(printed).toEqual([])
})

test('a server that asks for patience gets it', async () => {
  const busy = testWeb(() => log.files)
  let times = 0
  busy.instead = () =>
    times++ % 3 < 2 ? new Response('', { status: 429, headers: times % 3 === 1 ? { 'retry-after': '7' } : {} }) : null
  expect(await runWith(busy, LOG_URL, '--vkey', logSigner.vkey)).toBe(0)
  expect(new Set(busy.waited)).toEqual(new Set([7000, 1000]))
})

test('a private log is read with the key of the environment', async () => {
  const headers: unknown[] = []
  const asking = testWeb(() => log.files, 'avow_live_key')
  const answer = asking.fetch
  const watched = {
    ...asking,
    fetch: (url: string, init: RequestInit) => {
      headers.push(init.headers)
      return answer(url, init)
    },
  }
  expect(await verify([`${LOG_URL}/`, '--vkey', logSigner.vkey], watched, () => {})).toBe(0)
  expect(headers.every((sent) => (sent as Record<string, string>).authorization === 'Bearer avow_live_key')).toBe(true)
})

test('that one checkpoint grew from another is true, or false, by the tiles of the log', async () => {
  const older = file('old.txt', testLog(testEntries(257)).note)
  const newer = file('new.txt', log.note)
  const forked = file('fork.txt', testLog(testEntries(257, 'other ')).note)
  const consistency = (a: string, b: string, where: string) =>
    run('--consistency', a, b, '--log', where, '--vkey', logSigner.vkey)
  expect(await consistency(older, newer, LOG_URL)).toBe(0)
  expect(await consistency(newer, newer, LOG_URL)).toBe(0)
  expect(await consistency(older, newer, logFolder(log.files))).toBe(0)
  expect(printed[0]).toContain('the 257 entries of')
  expect(await consistency(forked, newer, LOG_URL)).toBe(1)
  expect(await consistency(newer, older, LOG_URL)).toBe(1)
  expect(await consistency(file('no.txt', 'nothing\n'), newer, LOG_URL)).toBe(1)
})

test('a policy asks for cosignatures, and may bring the key of the log', async () => {
  const witness = new TestWitness('w.example/w', 50, [])
  const witnessed = log.note + witness.lineOver(log.note.slice(0, log.note.lastIndexOf('\n\n') + 1))
  const cosigned = testWeb(() => new Map(log.files).set('checkpoint', new TextEncoder().encode(witnessed)))
  const policy = file('policy', `log ${logSigner.vkey}\nwitness W ${witness.vkey}\nquorum W\n`)
  expect(await runWith(cosigned, LOG_URL, '--policy', policy)).toBe(0)
  expect(await run(LOG_URL, '--policy', policy)).toBe(1)
  expect(printed.at(-1)).toContain('the quorum W is not met')
  await expect(run(LOG_URL, '--policy', policy, '--vkey', signer.vkey)).rejects.toThrow('one of the logs of the policy')
  const [older, newer] = [file('old.txt', testLog(testEntries(3)).note), file('new.txt', witnessed)]
  expect(await run('--consistency', older, newer, '--log', LOG_URL, '--policy', policy)).toBe(0)
  expect(await run('--consistency', older, older, '--log', LOG_URL, '--policy', policy)).toBe(1)
})

function endless(): ReadableStream<Uint8Array> {
  return new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(1 << 20)) })
}

test('the page of a bundle is as good as the bundle: true, false, or nothing without a key', async () => {
  const { bundle } = testBundle()
  const page = (of: object) => file('evidence.html', createEvidencePage(of as never, 'check()').html)
  expect(await run(page(bundle), '--vkey', signer.vkey)).toBe(0)
  const [last] = printed.splice(-1)
  expect(last).toBe('This is what the evidence in the page says. What else the page shows was not checked.')
  const said = printed.splice(0)
  expect(await run(file('a.json', JSON.stringify(bundle)), '--vkey', signer.vkey)).toBe(0)
  expect(printed).toEqual(said)
  await expect(run(page(bundle))).rejects.toThrow('--vkey')
  bundle.records[0].evidence.action = 'reject-all'
  expect(await run(page(bundle), '--vkey', signer.vkey)).toBe(1)
  expect(await run(file('b.html', '<!doctype html><p>true'), '--vkey', signer.vkey)).toBe(1)
  expect(printed.slice(-2)).toEqual([
    'false: record 2: evidence is not what the ledger committed to',
    'false: the page holds no evidence',
  ])
})
