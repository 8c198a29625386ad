/** Sealed parts: they open with their secret in their place, and their length tells nothing. */
import { createCipheriv, createHmac } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { flipped } from '../merkle/test-trees.js'
import { VerificationError } from '../merkle/verification-error.js'
import type { PartKind } from './commitment.js'
import { openSeal, randomSecret, seal } from './seal.js'

const place = 'fr-apiaas/consent/evidence'

test('a part opens with its secret in its place', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (part) => {
      const json = JSON.parse(JSON.stringify(part))
      const secret = randomSecret()
      expect(openSeal(seal('evidence', json, secret, place), secret, place)).toEqual(json)
    }),
  )
})

test('a part is as long as its kind needs, and what needs more is a multiple of 512', () => {
  const secret = randomSecret()
  const sealedSize = (kind: PartKind, jsonSize: number) =>
    seal(kind, { a: 'x'.repeat(jsonSize - 8) }, secret, place).length - 28
  expect([8, 512, 513, 1024, 1025, 1537].map((size) => sealedSize('evidence', size))).toEqual([
    ...[1024, 1024, 1024, 1024],
    ...[1536, 2048],
  ])
  for (const kind of ['identity', 'body'] as const) {
    expect([8, 512, 513, 1025].map((size) => sealedSize(kind, size))).toEqual([512, 512, 1024, 1536])
  }
})

/** Evidence as a record has it, of `count` categories. */
const evidence = (action: string, granted: boolean, count: number, more: object = {}) => ({
  action,
  choices: Object.fromEntries(Array.from({ length: count }, (_, i) => [`marketing-partners-${i}`, granted])),
  clock: granted ? 'ok' : 'implausible',
  decidedAt: '2026-11-23T10:00:00.000Z',
  gpc: null,
  layer: 'settings',
  notice: { hash: 'h'.repeat(43), language: 'en' },
  offered: [],
  policy: { hash: 'h'.repeat(43), version: '2026-04' },
  recordedAt: '2026-11-23T10:00:00.000Z',
  sdk: '0.1.0',
  site: 'shop',
  ui: 'abc12345',
  validUntil: '2027-05-22T10:00:00.000Z',
  ...more,
})

test('a ciphertext is as long whatever was chosen, how and where, with three categories, five and more', () => {
  const offered = ['accept-all', 'reject-all', 'save', 'withdraw']
  const lengths = (count: number) => {
    const parts = ['accept-all', 'reject-all', 'save', 'withdraw'].flatMap((action) =>
      [true, false].flatMap((granted) => [
        evidence(action, granted, count),
        evidence(action, granted, count, { gpc: false, layer: 'preferences', offered }),
      ]),
    )
    return [...new Set(parts.map((part) => seal('evidence', part, randomSecret(), place).length))]
  }
  for (const count of [1, 3, 5, 8]) expect([count, ...lengths(count)]).toEqual([count, 12 + 1024 + 16])
})

test('a ciphertext is as long with the longest labels and languages there may be', () => {
  const long = {
    gpc: false,
    notice: { hash: 'h'.repeat(43), language: 'l'.repeat(35) },
    offered: ['accept-all', 'reject-all', 'save', 'withdraw'],
    policy: { hash: 'h'.repeat(43), version: 'v'.repeat(32) },
    sdk: 's'.repeat(32),
    site: 's'.repeat(63),
    ui: 'u'.repeat(64),
  }
  // As many, and as long, as a policy may have (`consent/policy.ts`), where each is denied.
  for (const [count, length] of [
    [8, 32],
    [15, 14],
  ] as const) {
    const choices = Object.fromEntries(Array.from({ length: count }, (_, i) => [`${i}`.padEnd(length, 'x'), false]))
    const part = evidence('reject-all', false, count, { ...long, choices, layer: 'preferences' })
    expect(seal('evidence', part, randomSecret(), place).length).toBe(12 + 1024 + 16)
  }
  const identity = {
    account: 'a'.repeat(128),
    agent: 'Firefox',
    id: '0198c0de-0000-7000-8000-000000000000',
    network: '2001:db8:a1b2::/48',
    page: null,
    previous: '0198c0de-0000-7000-8000-000000000000',
    subject: 's'.repeat(43),
  }
  const nobody = { ...identity, account: null, network: null, previous: null }
  for (const part of [identity, nobody])
    expect(seal('identity', part, randomSecret(), place).length).toBe(12 + 512 + 16)
})

test('what was sealed with less padding, or more, opens', () => {
  const secret = randomSecret()
  for (const size of [512, 1536, 4096]) {
    // As formats.md says, in the obvious way.
    const key = createHmac('sha256', secret).update('avow/seal/v1').digest()
    const nonce = Buffer.alloc(12, 7)
    const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(place))
    const text = cipher.update('{"action":"accept-all"}'.padEnd(size), 'utf8')
    const sealed = Buffer.concat([nonce, text, cipher.final(), cipher.getAuthTag()])
    expect(openSeal(sealed, secret, place)).toEqual({ action: 'accept-all' })
  }
})

test('a part sealed twice looks different each time', () => {
  const secret = randomSecret()
  expect(seal('body', { a: 1 }, secret, place)).not.toEqual(seal('body', { a: 1 }, secret, place))
})

test('nothing opens with another secret, in another place, or with any byte changed', () => {
  const secret = randomSecret()
  const sealed = seal('body', { a: 1 }, secret, place)
  expect(() => openSeal(sealed, randomSecret(), place)).toThrow(VerificationError)
  expect(() => openSeal(sealed, secret, 'fr-apiaas/consent/identity')).toThrow(VerificationError)
  expect(() => openSeal(sealed, secret, 'other/consent/evidence')).toThrow(VerificationError)
  for (let byte = 0; byte < sealed.length; byte++) {
    expect(() => openSeal(flipped(sealed, byte * 8), secret, place)).toThrow(VerificationError)
  }
  for (const size of [0, 11, 28, 539, 541]) {
    const cut = new Uint8Array(size)
    cut.set(sealed.subarray(0, size))
    expect(() => openSeal(cut, secret, place)).toThrow('impossible length')
  }
})

test('a plaintext shows nowhere in what is sealed', () => {
  const sealed = Buffer.from(seal('identity', { subject: 'findable-subject' }, randomSecret(), place))
  expect(sealed.includes('subject')).toBe(false)
})

test('a secret of another length seals nothing', () => {
  expect(() => seal('body', {}, new Uint8Array(16), place)).toThrow('32 bytes')
})

test('secrets are 32 bytes, never the same, also past the end of the pool', () => {
  const secrets = Array.from({ length: 3000 }, () => randomSecret())
  expect(secrets.every((secret) => secret.length === 32)).toBe(true)
  expect(new Set(secrets.map((secret) => Buffer.from(secret).toString('hex'))).size).toBe(3000)
})
