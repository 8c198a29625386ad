/** Evidence bundles: a true one verifies, and whatever is changed in one, by whoever holds it, is found. */
import { expect, test } from 'vitest'
import { VerificationError, verifyBundle } from './bundle.js'
import { origin, signer, subject, testBundle } from './test-bundle.js'

// A bundle is unknown JSON, and each case spoils it somewhere else
type Loose = any

function refused(bundle: unknown, words: string | RegExp): void {
  expect(() => verifyBundle(bundle, signer.vkey)).toThrow(VerificationError)
  expect(() => verifyBundle(bundle, signer.vkey)).toThrow(words)
}

test('a true bundle verifies, and says what it proves', () => {
  const { bundle, size } = testBundle()
  const record = { isLinked: true, choices: { analytics: true }, policyVersion: '2026-04' }
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
    linked: 2,
    unlinked: 0,
    erased: 0,
    policies: 1,
    notices: 1,
  })
})

test('nothing but a consent id is a subject, and at least one record proves to be of it', () => {
  for (const words of ['nobody at all', '', `${subject} `, `${subject}\n`, subject.slice(1)]) {
    const { bundle } = testBundle()
    refused({ ...bundle, subject: words }, 'bundle: subject is not 43 characters of base64url')
  }
  const empty = testBundle().bundle
  refused(
    { ...empty, records: [], policies: [], notices: [] },
    'no record in the bundle is proved to be of its subject',
  )
})

test('records that are not linked are counted apart, and alone prove nothing of anybody', () => {
  const { bundle } = testBundle({ tombstone: { grade: 'unlink', index: 2 } })
  Object.assign(bundle.records[0], { identity: null, secrets: { ...bundle.records[0].secrets, identity: null } })
  expect(verifyBundle(bundle, signer.vkey)).toMatchObject({
    ...{ linked: 1, unlinked: 1 },
    records: [{ isLinked: false }, { isLinked: true }],
  })
  // Theirs it could be, and so could it be anybody's whom the bundle's maker names.
  bundle.records.pop()
  for (const named of [subject, hash32])
    refused({ ...bundle, subject: named }, 'no record in the bundle is proved to be of its subject')
})

test('a bundle was made at a time that there is, and not before what it holds was recorded', () => {
  const made = (asOf: string) => ({ ...testBundle().bundle, asOf })
  for (const asOf of ['2026-05-02T10:00:00Z', '2026-05-02T10:00:00.000Z', '2027-02-28T23:59:59.999999999Z'])
    expect(verifyBundle(made(asOf), signer.vkey).linked).toBe(2)
  refused(made('2026-05-02T09:59:59.999Z'), 'bundle: asOf is before record 4 was recorded')
  refused(made('1970-01-01T00:00:00Z'), 'asOf is before')
  for (const asOf of ['2027-02-30T00:00:00Z', '2027-02-29T00:00:00Z', '2027-13-01T00:00:00Z', '2027-01-01T24:00:00Z'])
    refused(made(asOf), 'bundle: asOf is not a time in UTC')
})

const hash32 = 'A'.repeat(43)

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

test('a field that is missing or of another type is refused, but for what earlier releases did not say', () => {
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
      if (field === 'notProved') expect(verifyBundle(without, signer.vkey).records).toHaveLength(2)
      else refused(without, /./)
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

test('a tombstone about a record of another log, or about one that is not in the bundle, has no place in it', () => {
  for (const log of ['dash.example/log/earlier', origin, null, 7, {}])
    refused(
      testBundle({ tombstone: { grade: 'erase', index: 2, log } }).bundle,
      'tombstone 5 is about a record of another log',
    )
  refused(
    testBundle({ tombstone: { grade: 'erase', index: 3 } }).bundle,
    'a tombstone is about entry 3, which is no record in the bundle',
  )
})

test('a document that was published, and that no record in the bundle cites, is refused', () => {
  const { bundle, uncited } = testBundle({ hasUncited: true })
  const { policy, notice } = uncited!
  expect(verifyBundle(bundle, signer.vkey).policies).toBe(1)
  refused({ ...bundle, policies: [...bundle.policies, policy] }, 'policy 2026-09 is cited by no record in the bundle')
  refused({ ...bundle, notices: [...bundle.notices, notice] }, 'notice in de is cited by no record in the bundle')
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
