/**
 * What somebody may do to evidence before it reaches whoever checks it, one sentence each, and what `avow verify` then names as
 * the first false thing. What none of these can show is what was left out: a bundle proves no absence.
 */
import { expect, test } from 'vitest'
import { encodeBase64url } from '../ledger/base64.js'
import { formatCheckpoint } from '../ledger/checkpoint.js'
import { jcs } from '../ledger/entry.js'
import { createSigner, generateSeed } from '../ledger/signer.js'
import { sha256 } from '../merkle/hash.js'
import { VerificationError, verifyBundle } from './bundle.js'
import { origin, policyHash, signer, testBundle } from './test-bundle.js'

// A bundle is unknown JSON, and each row spoils it somewhere else
type Loose = any

/** Somebody with a key of the same name. */
const other = createSigner(origin, generateSeed())
const hash32 = 'A'.repeat(43)
const textOf = (note: string) => note.slice(0, note.indexOf('\n\n') + 1)

const strip = (record: Loose) =>
  Object.assign(record, { evidence: null, identity: null, secrets: { evidence: null, identity: null } })

/** What is done, and the words that name what is false. */
type Row = [done: string, spoil: (bundle: Loose) => void, words: string | RegExp]

const spoilt: Row[] = [
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
  ['a record is there twice', (b) => (b.records[1] = b.records[0]), 'entry 2 is in the bundle twice'],
  ['the policy is there twice', (b) => b.policies.push(b.policies[0]), 'entry 0 is in the bundle twice'],
  ['the notice is there twice', (b) => b.notices.push(b.notices[0]), 'entry 1 is in the bundle twice'],
  ['the records change places', (b) => b.records.reverse(), 'records are not in the order of the log'],
  [
    'all that is of the person is left out',
    (b) => Object.assign(b, { records: [], policies: [], notices: [] }),
    'no record in the bundle is proved to be of its subject',
  ],
  ['all records are left out but not what they cite', (b) => (b.records = []), 'no record in the bundle is proved'],
  ['it is about somebody by another sort of name', (b) => (b.subject = 'Ann Example'), 'is not 43 characters'],
  ['it was made before its records', (b) => (b.asOf = '2026-04-02T10:00:00.000Z'), 'asOf is before record 4'],
  ['it was made on a day that there is not', (b) => (b.asOf = '2027-02-30T00:00:00Z'), 'is not a time in UTC'],
  ['a proof has a hash less', (b) => b.records[0].proof.pop(), 'record 2: inclusion proof of index 2 is too short'],
  ['a proof has a hash more', (b) => b.records[0].proof.push(b.records[0].proof[0]), 'is too long'],
  ['a proof is of another record', (b) => (b.records[0].proof = b.records[1].proof), /record 2: /],
  ['a hash in a proof is short', (b) => (b.records[0].proof[0] = 'AAAA'), 'is not 32 bytes'],
  ['a hash in a proof is not base64', (b) => (b.records[0].proof[0] = '!'), 'is not base64'],
  ['the subject is another', (b) => (b.subject = hash32), 'record 2 is about another subject'],
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
  [
    'the whole bundle is made anew under another key of the same name',
    (b) => {
      b.vkey = other.vkey
      b.checkpoint = other.sign(textOf(b.checkpoint))
    },
    'not signed by the key given',
  ],
  [
    'the checkpoint has a second, false signature of the same key',
    (b) => {
      const [dash, name, signature = ''] = b.checkpoint.split('\n\n')[1].split(' ')
      const middle = signature[40] === 'A' ? 'B' : 'A'
      const forged = `${dash} ${name} ${signature.slice(0, 40)}${middle}${signature.slice(41)}`
      b.checkpoint += forged
    },
    /signature of .* is false/,
  ],
  [
    'the checkpoint is an older one, true, and the record came later',
    (b) => {
      b.checkpoint = signer.sign(formatCheckpoint({ origin, size: 2, root: new Uint8Array(32).fill(1) }))
      b.policies = []
      b.notices = []
    },
    'record 2: index 2 is not in a log of size 2',
  ],
  [
    'the checkpoint’s root is another, under its old signature',
    (b) => {
      const [name, size, root, ...rest] = b.checkpoint.split('\n')
      b.checkpoint = [name, size, root[0] === 'A' ? `B${root.slice(1)}` : `A${root.slice(1)}`, ...rest].join('\n')
    },
    'is false',
  ],
  ['the checkpoint is left out', (b) => (b.checkpoint = ''), 'has no signatures'],
  ['the checkpoint holds a control character', (b) => (b.checkpoint = `\u0007${b.checkpoint}`), 'no note has'],
  ['the key inside is left out', (b) => delete b.vkey, 'bundle has no vkey'],
  ['the key inside is another name’s', (b) => (b.vkey = b.vkey.replace('dash', 'desk')), 'names another key'],
  [
    'the browser’s time is moved',
    (b) => (b.records[0].evidence.decidedAt = '2026-04-01T10:00:00.000Z'),
    'record 2: evidence is not what',
  ],
  ['the language is another', (b) => (b.records[0].evidence.notice.language = 'de'), 'record 2: evidence is not what'],
  [
    'the version agreed to is another',
    (b) => (b.records[0].evidence.policy.version = '2025-01'),
    'evidence is not what',
  ],
  [
    'a category is added to the choices',
    (b) => (b.records[1].evidence.choices.ads = true),
    'record 4: evidence is not',
  ],
  [
    'a category is taken from the choices',
    (b) => (b.records[1].evidence.choices = {}),
    'record 4: evidence is not what',
  ],
  ['a withdrawal is called an acceptance', (b) => (b.records[1].evidence.action = 'accept-all'), 'record 4: evidence'],
  [
    'the signal is claimed to have been off',
    (b) => (b.records[0].evidence.gpc = false),
    'record 2: evidence is not what',
  ],
  ['the site is another', (b) => (b.records[0].evidence.site = 'other'), 'record 2: evidence is not what'],
  ['an account is put in', (b) => (b.records[0].identity.account = 'ann'), 'record 2: identity is not what'],
  ['the record is given to another subject', (b) => (b.records[0].identity.subject = 'ben'), 'identity is not what'],
  [
    'bundle and records are given to another subject',
    (b) => {
      b.subject = hash32
      for (const { identity } of b.records) identity.subject = hash32
    },
    'record 2: identity is not what',
  ],
  [
    'the records of two indexes change places',
    (b) => {
      ;[b.records[0].index, b.records[1].index] = [4, 2]
    },
    'record 4: inclusion proof of index 4 is too long',
  ],
  [
    'the secrets of both parts change places',
    (b) => {
      const { evidence, identity } = b.records[0].secrets
      b.records[0].secrets = { evidence: identity, identity: evidence }
    },
    'evidence is not what',
  ],
  ['a secret has a zero behind it', (b) => (b.records[0].secrets.identity += 'AA'), /base64|32 bytes/],
  ['a secret is a number', (b) => (b.records[0].secrets.identity = 7), 'is not text'],
  ['an index is below zero', (b) => (b.records[0].index = -2), 'is not a whole number'],
  ['an index is a fraction', (b) => (b.records[0].index = 2.5), 'is not a whole number'],
  ['an index is past what a number holds', (b) => (b.records[0].index = 2 ** 53), 'is not a whole number'],
  ['an index is a text', (b) => (b.records[0].index = '2'), 'is not a whole number'],
  ['an entry has a line break behind it', (b) => (b.records[0].entry += '\n'), 'canonical form'],
  ['an entry has a byte order mark', (b) => (b.records[0].entry = `\ufeff${b.records[0].entry}`), /record 2: /],
  ['an entry is nothing', (b) => (b.records[0].entry = ''), /record 2: /],
  [
    'an entry is of a version to come',
    (b) => (b.records[0].entry = b.records[0].entry.replace('"v":1', '"v":2')),
    /record 2: /,
  ],
  [
    'the commitments of both parts change places, with the parts',
    (b) => {
      const { evidence, identity } = JSON.parse(b.records[0].entry)
      b.records[0].entry = new TextDecoder().decode(
        jcs({ evidence: identity, identity: evidence, type: 'consent', v: 1 }),
      )
    },
    'evidence is not what',
  ],
  ['two hashes of a proof change places', (b) => b.records[0].proof.reverse(), 'record 2: entry is not at index 2'],
  [
    'a hash of a proof is there twice',
    (b) => (b.records[0].proof[1] = b.records[0].proof[0]),
    'entry is not at index 2',
  ],
  ['a proof is empty', (b) => (b.records[0].proof = []), 'is too short'],
  ['a proof is no list', (b) => (b.records[0].proof = { 0: 'x' }), 'is not a list'],
  [
    'a policy’s proof is the notice’s',
    (b) => (b.policies[0].proof = b.notices[0].proof),
    'policy 2026-04: entry is not',
  ],
  ['a notice’s index is the policy’s', (b) => (b.notices[0].index = 0), 'notice in en: entry is not at index 0'],
  [
    'a policy that nobody published stands beside the real one',
    (b) => {
      const document = { ...b.policies[0].document, name: 'Other' }
      b.policies.push({ ...b.policies[0], document, hash: encodeBase64url(sha256(jcs(document))) })
    },
    'policy 2026-04: entry is not at index 0',
  ],
  [
    'a notice that nobody published stands beside the real one',
    (b) => {
      const { hash: _, ...words } = { ...b.notices[0].document, text: 'Nothing is counted.' }
      const hash = encodeBase64url(sha256(jcs(words)))
      b.notices.push({ ...b.notices[0], document: { ...words, hash }, hash })
    },
    'notice in en: entry is not at index 1',
  ],
  [
    'a policy says something more',
    (b) => (b.policies[0].document.more = true),
    'is not the document that its hash names',
  ],
  ['a policy is no longer material', (b) => (b.policies[0].document.material = false), 'is not the document'],
  ['a policy has another hash', (b) => (b.policies[0].hash = hash32), 'is not the document that its hash names'],
  [
    'a notice says it is of another policy',
    (b) => (b.notices[0].document.policy.version = '2025-01'),
    'notice in en is not the document',
  ],
  ['a notice’s policy is left out', (b) => delete b.notices[0].document.policy, 'notice in en is not the document'],
  ['the time of the bundle has another zone', (b) => (b.asOf = '2026-06-01T00:00:00+02:00'), 'is not a time in UTC'],
  ['all records are erased without a tombstone', (b) => b.records.forEach(strip), 'record 2: evidence is missing'],
  ['the records are no list', (b) => (b.records = {}), 'is not a list'],
  ['a record is null', (b) => (b.records[0] = null), 'is not an object'],
  [
    'a prototype is put into a record',
    (b) => (b.records[0] = JSON.parse(JSON.stringify(b.records[0]).replace('{', '{"__proto__":{"grade":"erase"},'))),
    'has a field of no known meaning',
  ],
  [
    'it claims to prove what it does not',
    (b) => (b.notProved[0] = 'Nothing: there is no other record of this person.'),
    'bundle: notProved is not what every bundle says',
  ],
  ['it keeps silent on a limit', (b) => b.notProved.pop(), 'bundle: notProved is not what every bundle says'],
  ['it has a limit that is none', (b) => (b.notProved = null), 'bundle: notProved is not a list'],
  [
    'a comment is put in that nothing proves',
    (b) => (b.comment = 'this person agreed to everything else, too'),
    'bundle has a field of no known meaning',
  ],
]

/** The same for a bundle with a tombstone, which excuses that its first record is gone. */
const spoiltErasures: Row[] = [
  ['the tombstone is left out', (b) => (b.tombstones = []), 'record 2: evidence is missing, and no tombstone says why'],
  ['the tombstone is there twice', (b) => b.tombstones.push(b.tombstones[0]), 'entry 5 is in the bundle twice'],
  [
    'the record that the tombstone is about is left out',
    (b) => b.records.shift(),
    'a tombstone is about entry 2, which is no record in the bundle',
  ],
  ['the tombstone names another record', (b) => (b.tombstones[0].body.index = 4), 'tombstone 5: body is not what'],
  [
    'the tombstone is of another grade',
    (b) => (b.tombstones[0].body.grade = 'unlink'),
    'tombstone 5: body is not what',
  ],
  ['the tombstone has another ground', (b) => (b.tombstones[0].body.ground = 'none'), 'tombstone 5: body is not what'],
  ['the tombstone has another time', (b) => (b.tombstones[0].body.at = '2026-06-02T00:00:00Z'), 'body is not what'],
  ['the tombstone names an earlier log', (b) => (b.tombstones[0].body.log = 'dash.example/log/e0'), 'body is not what'],
  ['the tombstone has another secret', (b) => (b.tombstones[0].secret = hash32), 'tombstone 5: body is not what'],
  [
    'the tombstone is at another index',
    (b) => (b.tombstones[0].index = 3),
    'tombstone 3: inclusion proof of index 3 is too short',
  ],
  ['the tombstone’s proof is cut', (b) => b.tombstones[0].proof.pop(), 'tombstone 5: inclusion proof'],
  [
    'a record stands for the tombstone',
    (b) => (b.tombstones[0].entry = b.records[1].entry),
    'tombstone 5 is not a tombstone',
  ],
  [
    'another record is taken away besides',
    (b) => strip(b.records[1]),
    'record 4: evidence is missing, and no tombstone says why',
  ],
  [
    'the tombstone excuses a part, and the other is left without its secret',
    (b) => (b.records[0].evidence = { action: 'accept-all' }),
    'record 2: evidence comes without its secret',
  ],
]

const erased = () => {
  const { bundle } = testBundle({ tombstone: { grade: 'erase', index: 2 } })
  strip(bundle.records[0])
  return bundle
}

function expectFound(bundle: Loose, [, spoil, words]: Row): void {
  const before = JSON.stringify(bundle)
  spoil(bundle)
  expect(JSON.stringify(bundle), 'what is done changes the bundle').not.toBe(before)
  expect(() => verifyBundle(bundle, signer.vkey)).toThrow(VerificationError)
  expect(() => verifyBundle(bundle, signer.vkey)).toThrow(words)
}

test('what nobody touched is accepted', () => {
  expect(verifyBundle(testBundle().bundle, signer.vkey).records).toHaveLength(2)
  expect(verifyBundle(erased(), signer.vkey)).toMatchObject({ erased: 1, records: [{ index: 4 }] })
})

test.each(spoilt)('a bundle is refused where %s', (...row) => expectFound(testBundle().bundle, row))

test.each(spoiltErasures)('a bundle with an erased record is refused where %s', (...row) => expectFound(erased(), row))

test('the table has every row once, and more than fifty', () => {
  const all = [...spoilt, ...spoiltErasures].map(([done]) => done)
  expect(new Set(all).size).toBe(all.length)
  expect(all.length).toBeGreaterThan(100)
})
