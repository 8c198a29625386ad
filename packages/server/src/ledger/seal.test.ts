/** Sealed parts: they open with their secret in their place, and their length tells nothing. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { flipped } from '../merkle/test-trees.js'
import { VerificationError } from '../merkle/verification-error.js'
import { openSeal, randomSecret, seal } from './seal.js'

const place = 'fr-apiaas/consent/evidence'

test('a part opens with its secret in its place', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (part) => {
      const json = JSON.parse(JSON.stringify(part))
      const secret = randomSecret()
      expect(openSeal(seal(json, secret, place), secret, place)).toEqual(json)
    }),
  )
})

test('parts have lengths in steps of 512, whatever they say', () => {
  const secret = randomSecret()
  const sealedSize = (jsonSize: number) => seal({ a: 'x'.repeat(jsonSize - 8) }, secret, place).length
  expect(seal({}, secret, place).length).toBe(12 + 512 + 16)
  expect(sealedSize(8)).toBe(540)
  expect(sealedSize(512)).toBe(540)
  expect(sealedSize(513)).toBe(540 + 512)
  expect(sealedSize(1024)).toBe(540 + 512)
  const yes = seal({ action: 'accept-all', choices: { analytics: true } }, secret, place)
  const no = seal({ action: 'withdraw', choices: { analytics: false } }, secret, place)
  expect(yes.length).toBe(no.length)
})

test('a part sealed twice looks different each time', () => {
  const secret = randomSecret()
  expect(seal({ a: 1 }, secret, place)).not.toEqual(seal({ a: 1 }, secret, place))
})

test('nothing opens with another secret, in another place, or with any byte changed', () => {
  const secret = randomSecret()
  const sealed = seal({ a: 1 }, secret, place)
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
  const sealed = Buffer.from(seal({ subject: 'findable-subject' }, randomSecret(), place))
  expect(sealed.includes('subject')).toBe(false)
})

test('a secret of another length seals nothing', () => {
  expect(() => seal({}, new Uint8Array(16), place)).toThrow('32 bytes')
})

test('secrets are 32 bytes, never the same, also past the end of the pool', () => {
  const secrets = Array.from({ length: 3000 }, () => randomSecret())
  expect(secrets.every((secret) => secret.length === 32)).toBe(true)
  expect(new Set(secrets.map((secret) => Buffer.from(secret).toString('hex'))).size).toBe(3000)
})
