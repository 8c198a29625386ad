/**
 * What the files say to whoever gets hold of them: of people nothing at any time, of those erased nothing even with every
 * key that is left, and after a rotation nothing to an older copy.
 */
import { createDecipheriv, createHash, createHmac } from 'node:crypto'
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestKey, signToken } from '../packages/server/src/middleware/test-tokens.js'
import { erase } from './support/failpoints.js'
import { times } from './support/length.js'
import { Observer } from './support/observer.js'
import {
  copyPlace,
  createKey,
  createPlace,
  type Place,
  policyFile,
  runAvow,
  runServe,
  type Server,
  SITE,
  startServer,
} from './support/place.js'
import { allRecords, ask } from './support/privacy-team.js'
import { readFiles, readStores, type Stores } from './support/stores.js'
import { type Acknowledged, composer, each, record, subjectOf } from './support/visitors.js'

const ADDRESS = '2001:db8:a1b2:c3d4:e5f6:1728:394a:5b6c'
const ADDRESS_BYTES = Buffer.from('20010db8a1b2c3d4e5f61728394a5b6c', 'hex')
const AGENT = 'Mozilla/5.0 (X11; Zephyr x86_64; rv:143.0) Gecko/20100101 Firefox/143.0'
const PAGE = 'https://shop.example/patients/quillfeather'
/** As long as may be, so that it would show in the length of what is sealed. */
const accountOf = (i: number) => `patient-${i}-featherquill@shop.example`.padEnd(256, '.')
const hostKey = createTestKey('ES256', 'host')

/** What a record would look like in the clear, whoever’s it is; a notice has some of the same words. */
const PLAINTEXT = [
  '"action":"accept-all"',
  '"choices":{',
  '"analytics":true',
  '"decidedAt":"20',
  '"subject":"',
  '"layer":"banner"',
]

/** The site's log, and the one of who looked into it. */
const ACCESS = `${SITE}.access`
const LOGS = [SITE, ACCESS]

/** A wrapped value (`vault/keyring.ts`): id of the key, nonce, ciphertext, tag. */
const KEY_ID_BYTES = 4
const OVERHEAD = 32
const SECRET_BYTES = 32

/** As many as a busy site asks about: then a part’s size depends on what was chosen, and crosses a step of the padding. */
const CATEGORIES = ['analytics', 'marketing', 'video', 'chat', 'maps']
const all = (granted: boolean) => Object.fromEntries(CATEGORIES.map((category) => [category, granted]))

/** Has the place ask about all of them, and know of accounts. */
function askAboutAll({ folder }: Place): void {
  writeFileSync(path.join(folder, 'account-keys.json'), JSON.stringify({ keys: [hostKey.jwk] }))
  const [config, policy] = [path.join(folder, 'avow.json'), path.join(folder, 'policy.json')]
  const { categories, ...more } = JSON.parse(readFileSync(policyFile, 'utf8'))
  const [required, optional] = categories
  const asked = CATEGORIES.map((id) => ({ ...optional, id }))
  writeFileSync(policy, JSON.stringify({ ...more, categories: [required, ...asked] }))
  const { sites } = JSON.parse(readFileSync(config, 'utf8'))
  writeFileSync(config, JSON.stringify({ sites: [{ ...sites[0], policy, accountKeys: 'account-keys.json' }] }))
}

let place: Place
let server: Server
let key: string
let observer: Observer
let made: Acknowledged[]

const COUNT = times(60, 300)
/** Of them, whom the privacy team looks for. */
const PEOPLE = 5

beforeAll(async () => {
  place = createPlace({ env: { AVOW_TRUSTED_PROXIES: '127.0.0.1' } })
  askAboutAll(place)
  server = await startServer(place)
  key = await createKey(place)
  observer = new Observer(server.vkey)
  made = []
  const composers = [await composer(server, 'en'), await composer(server, 'de')]
  // All that can be chosen, in all ways it can be chosen.
  const ways = [
    { action: 'accept-all', choices: all(true), layer: 'banner', gpc: null },
    { action: 'reject-all', choices: all(false), layer: 'banner', gpc: true, offered: ['reject-all'] },
    { action: 'save', choices: { ...all(false), analytics: true }, layer: 'preferences', gpc: false },
    { action: 'save', choices: all(false), layer: 'settings', offered: [], page: PAGE },
    { action: 'withdraw', choices: all(false), layer: 'settings', offered: [], decidedAt: '1999-01-01T00:00:00Z' },
    { action: 'accept-all', choices: all(true), layer: 'preferences', gpc: false, offered: ['accept-all', 'save'] },
  ]
  await each(
    Array.from({ length: COUNT }, (_, i) => i),
    16,
    async (i) => {
      const before = i % 7 === 6 ? made.at(-1)?.submission : undefined
      const linked = before ? { previous: before.id, secret: before.secret } : {}
      const submission = composers[i % 2]!({ ...ways[i % ways.length], ...linked })
      // One in two is signed in.
      const token = i % 2 === 0 ? await signToken(hostKey, SITE, accountOf(i), Date.now()) : null
      const headers = { 'X-Forwarded-For': ADDRESS, 'User-Agent': AGENT, ...(token && { 'Avow-Account': token }) }
      made.push({ submission, receipt: (await record(server, submission, headers)).receipt })
    },
  )
  for (const { receipt } of made) observer.seeReceipt(receipt)
})
afterAll(async () => {
  await server.end('SIGKILL')
  place.remove()
})

/** All that lies in the data folder, write-ahead logs as they are, and all that the log tells a stranger. */
async function everything(): Promise<{ name: string; bytes: Buffer }[]> {
  const { head, entries } = await observer.verify(server.logUrl)
  const served = await fetch(`${server.logUrl}/checkpoint`)
  return [
    ...readFiles(place.data),
    { name: 'the log, served', bytes: Buffer.concat(entries) },
    { name: 'the checkpoint, served', bytes: Buffer.from(`${await served.text()}${head.root}`) },
  ]
}

/** The ways bytes may stand in a file: as they are, in hex, and in base64 at each of its three alignments. */
function writings(bytes: Buffer): Buffer[] {
  const inBase64 = [0, 1, 2].flatMap((shift) => {
    const text = Buffer.concat([Buffer.alloc(shift), bytes])
      .toString('base64')
      .replace(/=+$/, '')
    // The first and last characters share bits with what stands beside.
    const own = text.slice(Math.ceil((shift * 8) / 6), Math.floor(((shift + bytes.length) * 8) / 6))
    return [own, own.replaceAll('+', '-').replaceAll('/', '_')]
  })
  const hex = bytes.toString('hex')
  return [bytes, ...[hex, hex.toUpperCase(), ...inBase64].map((text) => Buffer.from(text))]
}

/** Every place that any of these is found in, in words. */
function findAll(files: readonly { name: string; bytes: Buffer }[], sought: ReadonlyMap<string, readonly Buffer[]>) {
  const found: string[] = []
  for (const [what, needles] of sought) {
    for (const needle of needles) {
      for (const { name, bytes } of files) if (bytes.includes(needle)) found.push(`${what} in ${name}`)
    }
  }
  return found
}

function tracesOf({ submission, receipt }: Acknowledged): [string, Buffer[]][] {
  const secret = Buffer.from(submission.secret, 'base64url')
  const subject = Buffer.from(subjectOf(submission), 'base64url')
  const text = (value: string) => [Buffer.from(value), ...writings(Buffer.from(value)).slice(1)]
  return [
    [`the secret of ${receipt.index}`, [...writings(secret), ...text(submission.secret)]],
    [
      `the subject of ${receipt.index}`,
      [...writings(subject), ...text(receipt.subject), Buffer.from(receipt.subject.slice(0, 12))],
    ],
    [
      `the id of ${receipt.index}`,
      [...writings(Buffer.from(submission.id.replaceAll('-', ''), 'hex')), ...text(submission.id)],
    ],
  ]
}

const commonTraces = (): [string, Buffer[]][] => [
  ['the address', [...writings(ADDRESS_BYTES), ...writings(Buffer.from(ADDRESS)), Buffer.from('2001:db8:a1b2')]],
  ['the browser', [...writings(Buffer.from(AGENT)), Buffer.from('Zephyr')]],
  ['an account', [...writings(Buffer.from('featherquill@shop.example')), Buffer.from('featherquill')]],
  ['the page', [...writings(Buffer.from(PAGE)), Buffer.from('quillfeather')]],
  ...PLAINTEXT.map((text): [string, Buffer[]] => [text, writings(Buffer.from(text))]),
]

const keysIn = (file: string) =>
  readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => Buffer.from(line, 'base64'))

function decrypt(sealed: Buffer, cipherKey: Buffer, associated: string): Buffer | null {
  try {
    const decipher = createDecipheriv('aes-256-gcm', cipherKey, sealed.subarray(0, 12), { authTagLength: 16 })
    decipher.setAAD(Buffer.from(associated)).setAuthTag(sealed.subarray(-16))
    return Buffer.concat([decipher.update(sealed.subarray(12, -16)), decipher.final()])
  } catch {
    // Another key, or no ciphertext at all: what an attacker finds out by trying.
    return null
  }
}

/** Decrypts a sealed part as `formats.md` says it is sealed. */
const openPart = (sealed: Buffer, secret: Buffer, place = `${SITE}/consent`) =>
  decrypt(sealed, createHmac('sha256', secret).update('avow/seal/v1').digest(), place)

/**
 * Carves: every run of bytes, in any file and at any offset, that these keys unwrap as secrets of an entry. It finds what
 * lies in free pages and write-ahead logs, where no query looks.
 */
function carve(files: readonly { bytes: Buffer }[], keks: readonly Buffer[], size: number, log = SITE): Buffer[] {
  const secrets = new Map<string, Buffer>()
  for (const kek of keks) {
    const id = createKeyId(kek)
    for (const { bytes } of files) {
      for (let at = bytes.indexOf(id); at >= 0; at = bytes.indexOf(id, at + 1)) {
        for (const length of [SECRET_BYTES, 2 * SECRET_BYTES]) {
          const wrapped = bytes.subarray(at + KEY_ID_BYTES, at + OVERHEAD + length)
          if (wrapped.length < OVERHEAD - KEY_ID_BYTES + length) continue
          for (let index = 0; index < size; index++) {
            const opened = decrypt(wrapped, kek, `${log}/${index}`)
            if (!opened) continue
            for (let part = 0; part < opened.length; part += SECRET_BYTES) {
              const secret = opened.subarray(part, part + SECRET_BYTES)
              secrets.set(secret.toString('hex'), secret)
            }
            break
          }
        }
      }
    }
  }
  return [...secrets.values()]
}

/** As `vault/keyring.ts` names keys. */
const createKeyId = (kek: Buffer) =>
  createHash('sha256').update('avow/kek/v1').update(kek).digest().subarray(0, KEY_ID_BYTES)

/** Looks for somebody in every way there is, which the access log keeps. */
async function lookFor({ submission, receipt }: Acknowledged, account: string): Promise<void> {
  const headers = { Authorization: `Bearer ${key}`, 'Avow-Subject-Account': account }
  for (const asked of [
    `subjects/${receipt.subject}`,
    `records/${submission.id}`,
    `records?subject=${receipt.subject}&featherquill=${submission.id}&action=${receipt.subject}`,
  ])
    await (await fetch(`${server.url}/v1/audit/${asked}`, { headers })).arrayBuffer()
}

test('before any erasure, no file and no public page says who, or what they chose, also where the privacy team looked', async () => {
  for (const [i, one] of made.slice(0, PEOPLE).entries()) await lookFor(one, accountOf(i))
  const files = await everything()
  expect(files.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['ledger.db', 'vault.db', 'ledger.db-wal', 'vault.db-wal']),
  )
  expect(findAll(files, new Map([...made.flatMap(tracesOf), ...commonTraces()]))).toEqual([])
  // The search finds what is there: a commitment in an entry, a blind index in the vault.
  expect(findAll(files, new Map([['a notice', writings(Buffer.from('avow-policy@v1')).slice(0, 1)]]))).not.toEqual([])
})

test('every ciphertext of one kind is as long as every other, whatever was chosen, in whatever language', () => {
  const { entries } = readStores(place)
  const consents = entries.filter(({ sealed_b }) => sealed_b !== null)
  expect(consents).toHaveLength(made.length)
  expect([...new Set(consents.map(({ entry }) => entry.length))]).toHaveLength(1)
  expect([...new Set(consents.map(({ sealed_a }) => sealed_a!.length))]).toHaveLength(1)
  expect([...new Set(consents.map(({ sealed_b }) => sealed_b!.length))]).toHaveLength(1)
})

test('after unlink and erase: old proofs hold, no byte of the forgotten is left, and no key that is left opens it', async () => {
  expect(await server.end('SIGTERM')).toBe(0)
  const before = readStores(place)
  const keks = keysIn(place.kekFile)
  // One in three of each, and of people with several records all of them.
  const grades = new Map<string, 'unlink' | 'erase'>()
  for (const [i, { receipt }] of made.entries()) {
    if (i % 3 < 2 && !grades.has(receipt.subject)) grades.set(receipt.subject, i % 3 === 0 ? 'unlink' : 'erase')
  }
  const indexesOf = (grade: 'unlink' | 'erase') =>
    made.filter(({ receipt }) => grades.get(receipt.subject) === grade).map(({ receipt }) => receipt.index)
  const [unlinked, erased] = [indexesOf('unlink'), indexesOf('erase')]
  expect(Math.min(unlinked.length, erased.length)).toBeGreaterThan(COUNT / 5)
  const secretsOf = (stores: Stores) =>
    carve([{ bytes: Buffer.concat(stores.vault.map(({ secrets }) => secrets)) }], keks, stores.size)
  expect(secretsOf(before).length).toBe(2 * made.length)

  expect(await erase(place, 'unlink', unlinked)).toBe(null)
  expect(await erase(place, 'erase', erased)).toBe(null)
  server = await startServer(place)

  // Every checkpoint and receipt handed out before belongs to the log as it is now, tombstones and all.
  const { entries } = await observer.verify(server.logUrl)
  expect(entries).toHaveLength(before.size + unlinked.length + erased.length)
  const receipts = path.join(place.folder, 'receipt.tlog-proof')
  for (const { receipt } of made.slice(0, times(4, 40))) {
    writeFileSync(receipts, receipt.receipt)
    expect(await runAvow(place, ['verify', receipts, '--vkey', server.vkey])).toMatchObject({ status: 0 })
  }
  expect(await allRecords(server, key)).toHaveLength(made.length - unlinked.length - erased.length)
  for (const { receipt } of made.filter(({ receipt }) => grades.has(receipt.subject)))
    expect((await ask(server, key, `subjects/${receipt.subject}`)).status).toBe(404)

  expect(before.vault.filter(({ account }) => account !== null)).toHaveLength(COUNT / 2)
  // Not a byte of them: neither what they are, nor what they were found by, nor the secrets as they were wrapped.
  const files = await everything()
  const left = new Map<string, readonly Buffer[]>([...made.flatMap(tracesOf), ...commonTraces()])
  for (const row of before.vault.filter(({ idx }) => unlinked.includes(idx) || erased.includes(idx))) {
    left.set(`what ${row.idx} was found by`, [row.subject!, row.fingerprint, ...(row.account ? [row.account] : [])])
    left.set(`the wrapped secrets of ${row.idx}`, [row.secrets, row.secrets.subarray(0, 48), row.secrets.subarray(-48)])
  }
  expect(findAll(files, left)).toEqual([])

  // An attacker with the data, the escrow, the signing key and the key-encryption key.
  const after = readStores(place)
  const secrets = [...carve(files, keks, after.size), ...keks]
  expect(secrets.length).toBeGreaterThan(made.length - erased.length)
  const opens = (sealed: Buffer | null) => secrets.some((secret) => openPart(sealed!, secret) !== null)
  const opened = { evidence: new Set<number>(), identity: new Set<number>() }
  for (const { idx, sealed_a, sealed_b } of after.entries.filter(({ sealed_b }) => sealed_b !== null)) {
    if (opens(sealed_a)) opened.evidence.add(idx)
    if (opens(sealed_b)) opened.identity.add(idx)
  }
  // What was asked for stands in the access log, which opens with them, and is nobody in clear there either.
  const log = readStores(place, ACCESS)
  const accesses = log.entries.flatMap(({ idx, sealed_a }) => {
    const wrapped = log.vault.find((row) => row.idx === idx)!.secrets.subarray(KEY_ID_BYTES)
    const secret = decrypt(wrapped, keks[0]!, `${ACCESS}/${idx}`)
    const bytes = secret && openPart(sealed_a!, secret, `${ACCESS}/event`)
    return bytes ? [{ name: `access ${idx}`, bytes }] : []
  })
  expect(accesses.length).toBeGreaterThan(2 * 3 * PEOPLE)
  expect(findAll(accesses, new Map([...made.flatMap(tracesOf), ...commonTraces().slice(0, 4)]))).toEqual([])

  const indexes = made.map(({ receipt }) => receipt.index)
  // The attack works: it opens all that is not forgotten, and the evidence of the unlinked.
  expect(opened.evidence).toEqual(new Set(indexes.filter((index) => !erased.includes(index))))
  expect(opened.identity).toEqual(
    new Set(indexes.filter((index) => !erased.includes(index) && !unlinked.includes(index))),
  )
})

test('avow kek rotate: the old key opens nothing any more, the new one no older copy, and the server goes on', async () => {
  expect(await server.end('SIGTERM')).toBe(0)
  const older = copyPlace(place)
  askAboutAll(older)
  try {
    const [oldKey] = keysIn(place.kekFile)
    const sizes = LOGS.map((log) => [log, readStores(place, log).size] as const)
    const carveAll = (of: Place, kek: Buffer) => sizes.map(([log, size]) => carve(readFiles(of.data), [kek], size, log))
    const known = carveAll(place, oldKey!)
    for (const secrets of known) expect(secrets.length).toBeGreaterThan(0)
    expect(await runAvow(place, ['kek', 'rotate', place.kekFile])).toMatchObject({ status: 0 })
    const [newKey, ...others] = keysIn(place.kekFile)
    expect(others).toEqual([])
    expect(newKey!.equals(oldKey!)).toBe(false)

    // All secrets are there under the new key, none under the old one, in no corner of any file.
    expect(carveAll(place, oldKey!)).toEqual(LOGS.map(() => []))
    const sorted = (all: readonly Buffer[][]) => all.map((some) => some.map((secret) => secret.toString('hex')).sort())
    expect(sorted(carveAll(place, newKey!))).toEqual(sorted(known))
    expect(findAll(readFiles(place.folder), new Map([['the old key', writings(oldKey!)]]))).toEqual([])

    // The older copy with the newer key: nothing opens, and the server says so.
    expect(carveAll(older, newKey!)).toEqual(LOGS.map(() => []))
    rmSync(older.kekFile)
    cpSync(place.kekFile, older.kekFile)
    const ran = await runServe(older)
    expect(ran.status).toBe(1)
    expect(ran.stderr).toMatch(/was wrapped with key [0-9a-f]{8}, which is not among the keys given/)

    server = await startServer(place)
    await observer.verify(server.logUrl)
    expect((await allRecords(server, key)).length).toBeGreaterThan(0)
    expect((await record(server, (await composer(server))({ choices: all(true) }))).status).toBe(201)
  } finally {
    older.remove()
  }
})
