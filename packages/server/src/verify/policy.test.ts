/** Policies: k of n, groups in groups, and cosignatures that are checked to the letter. */
import { expect, test } from 'vitest'
import { EncodingError } from '../ledger/base64.js'
import { createSigner } from '../ledger/signer.js'
import { TestWitness } from '../ledger/test-witness.js'
import { VerificationError } from '../merkle/verification-error.js'
import { verifyBundle } from './bundle.js'
import { verifyLog } from './log.js'
import { openWitnessed, parseWitnessPolicy } from './policy.js'
import { verifyProofFile } from './proof.js'
import { signer, testBundle, testReceipt } from './test-bundle.js'
import { logSigner, readerOf, testEntries, testLog } from './test-log.js'

const witnesses = ['a', 'b', 'c', 'd'].map((name, i) => new TestWitness(`${name}.example/w`, 40 + i, []))
const lines = witnesses.map(({ vkey }, i) => `witness ${'ABCD'[i]} ${vkey} https://${'abcd'[i]}.example/w`)
const policyOf = (...more: string[]) => parseWitnessPolicy([...lines, ...more].join('\n'))
const textOf = (note: string) => note.slice(0, note.lastIndexOf('\n\n') + 1)
const cosigned = (note: string, ...by: number[]) => note + by.map((i) => witnesses[i]!.lineOver(textOf(note))).join('')

const { note } = testLog(testEntries(5))
const open = (checkpoint: string, policy: ReturnType<typeof policyOf>) =>
  openWitnessed(checkpoint, logSigner.vkey, policy)

test('a policy says whose cosignatures are enough, groups of groups included', () => {
  const policy = policyOf(
    'group first 2 A B C',
    '# and one more\n',
    '\tgroup all-of-it  all first D ',
    'quorum all-of-it',
  )
  const isMet = (...names: string[]) => policy.isMet(new Set(names))
  expect(policy.witnesses.map(({ alias, url }) => [alias, url])[0]).toEqual(['A', 'https://a.example/w'])
  expect(isMet('A', 'B', 'D')).toBe(true)
  expect(isMet('B', 'C', 'D', 'A')).toBe(true)
  for (const few of [[], ['A'], ['A', 'B'], ['A', 'D'], ['A', 'B', 'C'], ['A', 'E', 'D']])
    expect(isMet(...few)).toBe(false)
  expect(policyOf('quorum none').isMet(new Set())).toBe(true)
  expect(policyOf('group g any A B', 'quorum g').isMet(new Set(['B']))).toBe(true)
  expect(policyOf('quorum A').isMet(new Set(['B']))).toBe(false)
})

test('a policy with a mistake is refused by its line, and is no false proof', () => {
  const bad: [string, RegExp][] = [
    ['', /no quorum/],
    ['quorum E', /line 5: E is not defined/],
    ['quorum A\nquorum A', /second quorum/],
    ['group g 3 A B\nquorum g', /1 to 2/],
    ['group g 0 A B\nquorum g', /1 to 2/],
    ['group g any\nquorum g', /expected log/],
    ['group g any none\nquorum g', /none is not defined/],
    ['group g any A A\nquorum g', /A is a member already/],
    ['group g any A\ngroup h any A\nquorum h', /A is a member already/],
    ['group A any B\nquorum A', /taken/],
    ['group none any B\nquorum A', /taken/],
    [`witness A2 ${witnesses[0]!.vkey}\nquorum A`, /same key twice/],
    [`witness E ${logSigner.vkey}\nquorum A`, /of a witness/],
    [`log ${witnesses[0]!.vkey}\nquorum A`, /Ed25519/],
    [`log ${logSigner.vkey}\nlog ${logSigner.vkey}\nquorum A`, /same key twice/],
    ['quorum A B', /expected log/],
    ['constructor A', /expected log/],
  ]
  for (const [text, words] of bad) {
    expect(() => policyOf(text), text).toThrow(EncodingError)
    expect(() => policyOf(text), text).toThrow(words)
  }
})

test('a checkpoint that enough witnesses cosigned opens; with one too few it is false', () => {
  const policy = policyOf('group g 2 A B C', 'quorum g')
  expect(open(cosigned(note, 0, 2), policy)).toMatchObject({ size: 5 })
  expect(open(cosigned(note, 0, 1, 2, 3), policy)).toMatchObject({ size: 5 })
  expect(() => open(note, policy)).toThrow(/by no witness of the policy: the quorum g is not met/)
  expect(() => open(cosigned(note, 1), policy)).toThrow(/by B: the quorum g is not met/)
  expect(() => open(cosigned(note, 1, 1, 3), policy)).toThrow(VerificationError)
})

test('a cosignature with anything changed refuses the checkpoint, though others are enough', () => {
  const policy = policyOf('group g 1 A B C', 'quorum g')
  const line = witnesses[1]!.lineOver(textOf(note))
  const [dash, name, encoded = ''] = line.trimEnd().split(' ')
  const bytes = Buffer.from(encoded, 'base64')
  // Past the key id, which only says whose it is: the time and the signature.
  for (let at = 4; at < bytes.length; at++) {
    const changed = Buffer.from(bytes)
    changed[at]! ^= 1
    const spoilt = `${cosigned(note, 0)}${dash} ${name} ${changed.toString('base64')}\n`
    expect(() => open(spoilt, policy), `byte ${at}`).toThrow('signature of b.example/w is false')
  }
  const short = `${cosigned(note, 0)}${dash} ${name} ${bytes.subarray(0, -1).toString('base64')}\n`
  expect(() => open(short, policy)).toThrow('is false')
})

test('a cosignature of another checkpoint, and a plain signature by a witness, count for nothing', () => {
  const policy = policyOf('quorum A')
  const other = testLog(testEntries(6)).note
  expect(() => open(note + witnesses[0]!.lineOver(textOf(other)), policy)).toThrow('is false')
  const asLog = createSigner('a.example/w', new Uint8Array(32).fill(40))
  expect(() => open(note + asLog.sign(textOf(note)).slice(textOf(note).length + 1), policy)).toThrow('not met')
})

test('witnesses alone sign nothing: the log itself must have', () => {
  const unsigned = `${textOf(note)}\n${witnesses[0]!.lineOver(textOf(note))}`
  expect(() => open(unsigned, policyOf('quorum A'))).toThrow('not signed by the key given')
})

test('a policy holds for logs, bundles and receipts alike', async () => {
  const policy = policyOf('quorum A')
  const log = testLog(testEntries(5))
  const trust = { vkey: logSigner.vkey, policy }
  await expect(verifyLog(log.read, trust)).rejects.toThrow('not met')
  const witnessed = new Map(log.files).set('checkpoint', new TextEncoder().encode(cosigned(log.note, 0)))
  expect(await verifyLog(readerOf(witnessed), trust)).toMatchObject({ size: 5 })

  const { bundle } = testBundle()
  expect(() => verifyBundle(bundle, signer.vkey, policy)).toThrow('not met')
  const better = { ...bundle, checkpoint: cosigned(bundle.checkpoint, 0) }
  expect(verifyBundle(better, signer.vkey, policy)).toMatchObject({ size: 6 })

  const receipt = testReceipt()
  expect(() => verifyProofFile(receipt, signer.vkey, policy)).toThrow('not met')
  const checkpoint = receipt.slice(receipt.indexOf('\n\n') + 2)
  const added = witnesses[0]!.lineOver(textOf(checkpoint))
  expect(verifyProofFile(receipt + added, signer.vkey, policy)).toMatchObject({ size: 6 })
})
