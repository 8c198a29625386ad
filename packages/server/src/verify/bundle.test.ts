/** Evidence bundles: a true one verifies, and whatever is changed in one, by whoever holds it, is found. */
import { expect, test } from 'vitest'
import { encodeBase64url } from '../ledger/base64.js'
import { formatCheckpoint } from '../ledger/checkpoint.js'
import { jcs } from '../ledger/entry.js'
import { createSigner, generateSeed } from '../ledger/signer.js'
import { sha256 } from '../merkle/hash.js'
import { VerificationError, verifyBundle } from './bundle.js'
import { origin, policyHash, signer, subject, testBundle } from './test-bundle.js'

// A bundle is unknown JSON, and each case spoils it somewhere else
type Loose = any

function refused(bundle: unknown, words: string | RegExp): void {
  expect(() => verifyBundle(bundle, signer.vkey)).toThrow(VerificationError)
  expect(() => verifyBundle(bundle, signer.vkey)).toThrow(words)
}

test('a true bundle verifies, and says what it proves', () => {
  const { bundle, size } = testBundle()
  const record = { choices: { analytics: true }, policyVersion: '2026-04' }
  expect(verifyBundle(bundle, signer.vkey)).toEqual({
    size,
    origin,
    subject,
    records: [
      {
        ...record,
        index: 2,
        action: 'accept-all',
        recordedAt: '2026-04-02T10:00:00.000Z',
        decidedAt: '2026-04-02T10:00:00.000Z',
      },
      {
        ...record,
        index: 4,
        action: 'withdraw',
        choices: { analytics: false },
        recordedAt: '2026-05-02T10:00:00.000Z',
        decidedAt: '2026-05-02T10:00:00.000Z',
      },
    ],
    erased: 0,
    policies: 1,
    notices: 1,
  })
})

test('records come out in the order of the log, however the bundle lists them', () => {
  const { bundle } = testBundle()
  bundle.records.reverse()
  expect(verifyBundle(bundle, signer.vkey).records.map(({ index }) => index)).toEqual([2, 4])
})

const other = createSigner(origin, generateSeed())
const hash32 = 'A'.repeat(43)

const spoilt: [string, (bundle: Loose) => void, string | RegExp][] = [
  [
    'the answer is turned round',
    (b) => (b.records[0].evidence.choices.analytics = false),
    'record 2: evidence is not what',
  ],
  [
    'the time is moved',
    (b) => (b.records[0].evidence.recordedAt = '2026-04-01T10:00:00.000Z'),
    'record 2: evidence is not what',
  ],
  ['a field is added to the evidence', (b) => (b.records[0].evidence.extra = 1), 'evidence is not what'],
  ['a field is taken from the evidence', (b) => delete b.records[0].evidence.gpc, 'evidence is not what'],
  ['the submission is renamed', (b) => (b.records[1].identity.id = 'x'), 'record 4: identity is not what'],
  [
    'the parts of two records are swapped',
    (b) => ([b.records[0].evidence, b.records[1].evidence] = [b.records[1].evidence, b.records[0].evidence]),
    'evidence is not what',
  ],
  [
    'the identity is given for the evidence',
    (b) => (b.records[0].evidence = b.records[0].identity),
    'evidence is not what',
  ],
  ['a secret is another', (b) => (b.records[0].secrets.evidence = hash32), 'evidence is not what'],
  ['a secret is too short', (b) => (b.records[0].secrets.evidence = 'AAAA'), 'is not 32 bytes'],
  [
    'a secret is too long',
    (b) => (b.records[0].secrets.evidence = encodeBase64url(new Uint8Array(33))),
    'is not 32 bytes',
  ],
  ['a secret is missing', (b) => (b.records[0].secrets.evidence = null), 'evidence comes without its secret'],
  [
    'the evidence is missing but not its secret',
    (b) => (b.records[0].evidence = null),
    'evidence comes without its secret',
  ],
  ['a part is half a surrogate pair', (b) => (b.records[0].evidence.site = '\ud800'), 'has no canonical form'],
  [
    'an entry is respelled',
    (b) => (b.records[0].entry = b.records[0].entry.replace(',', ', ')),
    'not in its canonical form',
  ],
  ['an entry is another', (b) => (b.records[0].entry = b.records[1].entry), 'record 2: evidence is not what'],
  [
    'an entry is a policy',
    (b) => (b.records[0].entry = `{"hash":"${policyHash}","type":"policy","v":1,"version":"2026-04"}`),
    'is not a consent',
  ],
  ['a record is at another index', (b) => (b.records[0].index = 3), 'record 3: entry is not at index 3'],
  ['a record is past the log', (b) => (b.records[0].index = 6), 'index 6 is not in a log of size 6'],
  ['a record is there twice', (b) => (b.records[1] = b.records[0]), 'record 2 is there twice'],
  ['a proof has a hash less', (b) => b.records[0].proof.pop(), 'record 2: inclusion proof of index 2 is too short'],
  ['a proof has a hash more', (b) => b.records[0].proof.push(b.records[0].proof[0]), 'is too long'],
  ['a proof is of another record', (b) => (b.records[0].proof = b.records[1].proof), /record 2: /],
  ['a hash in a proof is short', (b) => (b.records[0].proof[0] = 'AAAA'), 'is not 32 bytes'],
  ['a hash in a proof is not base64', (b) => (b.records[0].proof[0] = '!'), 'is not base64'],
  ['the subject is another', (b) => (b.subject = 'ben'), 'record 2 is about another subject'],
  [
    'the checkpoint is signed by another key of the same name',
    (b) => (b.checkpoint = other.sign(b.checkpoint.slice(0, b.checkpoint.indexOf('\n\n') + 1))),
    'not signed by the key given',
  ],
  ['the checkpoint is altered', (b) => (b.checkpoint = b.checkpoint.replace('\n6\n', '\n7\n')), 'is false'],
  [
    'the checkpoint is of another tree',
    (b) => (b.checkpoint = signer.sign(formatCheckpoint({ origin, size: 6, root: new Uint8Array(32) }))),
    /entry is not at index/,
  ],
  [
    'the checkpoint is of another origin',
    (b) => (b.checkpoint = signer.sign(formatCheckpoint({ origin: 'x', size: 6, root: new Uint8Array(32) }))),
    'is from x',
  ],
  [
    'the checkpoint has no signature',
    (b) => (b.checkpoint = b.checkpoint.slice(0, b.checkpoint.indexOf('\n\n') + 1)),
    'no signatures',
  ],
  ['the key inside is another', (b) => (b.vkey = other.vkey), 'names another key'],
  ['the policy is reworded', (b) => (b.policies[0].document.name = 'Other'), 'policy 2026-04 is not the document'],
  [
    'the policy is reworded and rehashed',
    (b) => {
      b.policies[0].document.name = 'Other'
      b.policies[0].hash = encodeBase64url(sha256(jcs(b.policies[0].document)))
    },
    'policy 2026-04: entry is not at index 0',
  ],
  ['the policy has another label', (b) => (b.policies[0].version = '2026-05'), 'is of another version'],
  ['the policy is at another index', (b) => (b.policies[0].index = 1), 'policy 2026-04: entry is not at index 1'],
  ['the policy is left out', (b) => (b.policies = []), 'record 2: policy 2026-04 is cited, but not in the bundle'],
  ['the notice is reworded', (b) => (b.notices[0].document.text = 'Other'), 'notice in en is not the document'],
  ['the notice is in another language', (b) => (b.notices[0].language = 'de'), 'is in another language'],
  ['the notice names another hash', (b) => (b.notices[0].document.hash = hash32), 'states another hash'],
  ['the notice is without its hash', (b) => delete b.notices[0].document.hash, 'states another hash'],
  ['the notice is left out', (b) => (b.notices = []), 'record 2: notice in en is cited, but not in the bundle'],
  ['the format is another', (b) => (b.format = 'avow-evidence@v2'), 'not an evidence bundle of version 1'],
  ['the time of the bundle is no time', (b) => (b.asOf = 'yesterday'), 'is not a time'],
  [
    'a record that was not erased is stripped',
    (b) => {
      b.records[0].evidence = null
      b.records[0].secrets.evidence = null
    },
    'record 2: evidence is missing, and no tombstone says why',
  ],
  [
    'a record that was not unlinked is stripped',
    (b) => {
      b.records[0].identity = null
      b.records[0].secrets.identity = null
    },
    'record 2: identity is missing, and no tombstone says why',
  ],
]

test.each(spoilt)('a bundle is refused where %s', (_, spoil, words) => {
  const { bundle } = testBundle()
  spoil(bundle)
  refused(bundle, words)
})

test('a field that nobody knows is refused, wherever it is', () => {
  const places: ((b: Loose) => Loose)[] = [
    (b) => b,
    (b) => b.records[0],
    (b) => b.records[0].secrets,
    (b) => b.policies[0],
    (b) => b.notices[0],
  ]
  for (const place of places) {
    const { bundle } = testBundle()
    place(bundle).comment = 'this person also agreed to everything else'
    refused(bundle, 'no known meaning')
  }
})

test('a field that is missing or of another type is refused, wherever it is', () => {
  const places: ((b: Loose) => Loose)[] = [
    (b) => b,
    (b) => b.records[0],
    (b) => b.records[0].secrets,
    (b) => b.policies[0],
    (b) => b.notices[0],
  ]
  for (const place of places) {
    for (const field of Object.keys(place(testBundle().bundle))) {
      const without = testBundle().bundle
      delete place(without)[field]
      refused(without, /./)
      for (const value of [7.5, true, 'x', [7], { x: 1 }, undefined]) {
        const { bundle } = testBundle()
        place(bundle)[field] = value
        refused(bundle, /./)
      }
    }
  }
})

test('what is no bundle at all is refused', () => {
  for (const input of [undefined, null, 1, 'text', [], {}, [testBundle().bundle]]) refused(input, /./)
})

test('a consent to words that were logged after it is refused', () => {
  refused(testBundle({ documentsLast: true }).bundle, 'record 0: policy 2026-04 was logged after the consent to it')
})

test('a bundle holding the records of somebody else is refused', () => {
  refused(testBundle({ subject: 'ben' }).bundle, 'record 2 is about another subject')
})

test('an erased record is told from one left out by its tombstone', () => {
  const { bundle } = testBundle({ tombstone: { grade: 'erase', index: 2 } })
  Object.assign(bundle.records[0], { evidence: null, identity: null, secrets: { evidence: null, identity: null } })
  const { records, erased } = verifyBundle(bundle, signer.vkey)
  expect([records.map(({ index }) => index), erased]).toEqual([[4], 1])
})

test('an unlinked record still proves its evidence, and hides nothing more', () => {
  const { bundle } = testBundle({ tombstone: { grade: 'unlink', index: 2 } })
  Object.assign(bundle.records[0], { identity: null, secrets: { ...bundle.records[0].secrets, identity: null } })
  expect(verifyBundle(bundle, signer.vkey)).toMatchObject({ erased: 1, records: [{ index: 2 }, { index: 4 }] })
  Object.assign(bundle.records[0], { evidence: null, secrets: { evidence: null, identity: null } })
  refused(bundle, 'record 2: evidence is missing')
})

test('a tombstone for a record of an earlier log is taken as it is, and excuses nothing in this one', () => {
  const earlier = { grade: 'erase', index: 2, log: 'dash.example/log/earlier' }
  const { bundle } = testBundle({ tombstone: earlier })
  expect(verifyBundle(bundle, signer.vkey)).toMatchObject({ erased: 0, records: [{ index: 2 }, { index: 4 }] })
  Object.assign(bundle.records[0], { evidence: null, identity: null, secrets: { evidence: null, identity: null } })
  refused(bundle, 'record 2: evidence is missing, and no tombstone says why')
  // The old log may have been longer than this one is.
  verifyBundle(testBundle({ tombstone: { ...earlier, index: 7000 } }).bundle, signer.vkey)
  refused(testBundle({ tombstone: { ...earlier, log: origin } }).bundle, 'tombstone 5 names its own log')
  for (const log of [null, 7, {}]) {
    refused(testBundle({ tombstone: { ...earlier, log } }).bundle, 'tombstone 5: log is not text')
  }
})

test('a tombstone that is forged, of another record or of no known grade excuses nothing', () => {
  const forge = (change: (tombstone: Loose) => void, wish = { grade: 'erase', index: 2 }) => {
    const { bundle } = testBundle({ tombstone: wish })
    change(bundle.tombstones[0])
    Object.assign(bundle.records[0], { evidence: null, identity: null, secrets: { evidence: null, identity: null } })
    return bundle
  }
  const nothing = () => {}
  refused(
    forge((t) => (t.body.index = 4)),
    'body is not what',
  )
  refused(
    forge((t) => (t.secret = hash32)),
    'body is not what',
  )
  refused(
    forge((t) => t.proof.pop()),
    'tombstone 5: ',
  )
  refused(
    forge((t) => (t.index = 4)),
    'tombstone 4: ',
  )
  refused(
    forge((t) => (t.entry = t.entry.replace('tombstone', 'event'))),
    'is not a tombstone',
  )
  refused(
    forge((t) => (t.note = 1)),
    'no known meaning',
  )
  refused(forge(nothing, { grade: 'erase', index: 4 }), 'record 2: evidence is missing')
  refused(forge(nothing, { grade: 'hide', index: 2 }), 'no known grade')
  refused(forge(nothing, { grade: 'erase', index: 7 }), 'erases what was not there yet')
})

test('a key that can not be read is no false proof', () => {
  expect(() => verifyBundle(testBundle().bundle, 'nonsense')).toThrow('verifier key')
  expect(() => verifyBundle(testBundle().bundle, 'nonsense')).not.toThrow(VerificationError)
})

test('whichever byte of the file is flipped, it is refused, save in the time it was made at', () => {
  const text = JSON.stringify(testBundle().bundle)
  const asOf = text.indexOf('"asOf":"') + 8
  for (let at = 0; at < text.length; at++) {
    if (at >= asOf && at < asOf + 24) continue
    const changed = `${text.slice(0, at)}${String.fromCharCode(text.charCodeAt(at) ^ 1)}${text.slice(at + 1)}`
    let bundle: unknown
    try {
      bundle = JSON.parse(changed)
    } catch {
      // No JSON any more: refused before it gets here.
      continue
    }
    expect(() => verifyBundle(bundle, signer.vkey), `byte ${at}: ${changed.slice(at - 9, at + 9)}`).toThrow(
      VerificationError,
    )
  }
})
