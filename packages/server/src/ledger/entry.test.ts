/** Entries: six types, each with one spelling. */
import canonicalize from 'canonicalize'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { VerificationError } from '../merkle/verification-error.js'
import { ENTRY_LIMIT, type Entry, encodeConsent, encodeEntry, jcs, parseEntry } from './entry.js'

const hash = `${'A'.repeat(42)}E`
const bytesOf = (text: string) => new TextEncoder().encode(text)
const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

const entries: [Entry, string][] = [
  [
    { v: 1, type: 'consent', identity: hash, evidence: hash },
    `{"evidence":"${hash}","identity":"${hash}","type":"consent","v":1}`,
  ],
  [{ type: 'policy', v: 1, version: '2026-04', hash }, `{"hash":"${hash}","type":"policy","v":1,"version":"2026-04"}`],
  [
    { type: 'notice', v: 1, version: '2026-04', language: 'en', hash },
    `{"hash":"${hash}","language":"en","type":"notice","v":1,"version":"2026-04"}`,
  ],
  [{ type: 'tombstone', v: 1, body: hash }, `{"body":"${hash}","type":"tombstone","v":1}`],
  [{ type: 'event', v: 1, body: hash }, `{"body":"${hash}","type":"event","v":1}`],
  [
    { type: 'epoch', v: 1, origin: 'a.example/log', root: `${hash}=`, size: 0 },
    `{"origin":"a.example/log","root":"${hash}=","size":0,"type":"epoch","v":1}`,
  ],
]

test('a consent that is written in one go has the bytes of any other', () => {
  const [evidence, identity] = [hash, `${'_'.repeat(42)}0`]
  expect(textOf(encodeConsent(evidence, identity))).toBe(
    textOf(encodeEntry({ v: 1, type: 'consent', evidence, identity })),
  )
})

test('each type has the bytes that the formats say, and is read back', () => {
  for (const [entry, text] of entries) {
    expect(textOf(encodeEntry(entry))).toBe(text)
    expect(parseEntry(bytesOf(text))).toEqual(entry)
  }
})

test('any other spelling of an entry is refused', () => {
  const consent = entries[0]![1]
  const bad = ['', '{}', 'null', '[]', '"consent"', `${consent} `, ` ${consent}`, `${consent}\n`, `\ufeff${consent}`]
  bad.push(consent.replace('"v":1', '"v":1.0'), consent.replace('"v":1', '"v":2'), consent.replace('"v":1', '"v":"1"'))
  bad.push(
    consent.replace(',"v":1', ''),
    consent.replace('}', ',"x":1}'),
    consent.replace('{', `{"evidence":"${hash}",`),
  )
  bad.push(
    `{"v":1,"type":"consent","identity":"${hash}","evidence":"${hash}"}`,
    consent.replace('consent', '\\u0063onsent'),
  )
  bad.push(
    consent.replace(hash, hash.slice(1)),
    consent.replace(hash, `${hash}A`),
    consent.replace(hash, hash.replace('E', 'B')),
  )
  bad.push(
    consent.replace('consent', 'toString'),
    consent.replace('"consent"', '["consent"]'),
    consent.replace(`"${hash}"`, 'null'),
  )
  bad.push(entries[5]![1].replace('0', '-1'), entries[5]![1].replace('0', '0.5'), entries[1]![1].replace('2026-04', ''))
  for (const text of bad) expect(() => parseEntry(bytesOf(text)), text).toThrow(VerificationError)
  expect(() => parseEntry(Uint8Array.of(0xff, 0x7b))).toThrow(VerificationError)
})

test('an entry has under 65,536 bytes', () => {
  const fixed = encodeEntry({ type: 'policy', v: 1, hash, version: 'x' }).length - 1
  const longest = encodeEntry({ type: 'policy', v: 1, hash, version: 'x'.repeat(ENTRY_LIMIT - 1 - fixed) })
  expect(parseEntry(longest)).toHaveProperty('type', 'policy')
  expect(() => encodeEntry({ type: 'policy', v: 1, hash, version: 'x'.repeat(ENTRY_LIMIT - fixed) })).toThrow('65536')
  expect(() => parseEntry(bytesOf(textOf(longest).replace('x', 'xx')))).toThrow('too long')
})

test('what is no entry is not encoded', () => {
  const bad = [
    { type: 'consent', v: 1 },
    { type: 'event', v: 1, body: 'x' },
    { type: 'event', v: 1, body: hash, at: 0 },
  ]
  for (const entry of bad) expect(() => encodeEntry(entry as unknown as Entry)).toThrow('not an entry')
})

test('canonical JSON sorts by UTF-16 and writes numbers as RFC 8785 does', () => {
  const text = textOf(
    jcs({ '\u20ac': 1, '\ud83d\ude00': 2, '\ufb33': 3, '1': 1e21, a: [0.000001, -0, 1.5], b: '\u000f\n"\\é' }),
  )
  expect(text).toBe('{"1":1e+21,"a":[0.000001,0,1.5],"b":"\\u000f\\n\\"\\\\é","€":1,"😀":2,"\ufb33":3}')
  for (const value of [undefined, Number.NaN, [Number.POSITIVE_INFINITY], '\ud800', { '\udc00': 1 }]) {
    expect(() => jcs(value)).toThrow()
  }
})

test('what is written the short way is what the library writes', () => {
  const plain = fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null)))
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), plain), (value) => {
      const sorted =
        value && typeof value === 'object'
          ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
          : value
      for (const each of [value, sorted]) expect(new TextDecoder().decode(jcs(each))).toBe(canonicalize(each))
    }),
  )
})
