/** The hashes by Node and those for a browser agree, so that a proof can't be true in one and false in the other. */
import { generateKeyPairSync, sign } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import * as node from './hash.js'
import * as web from './hash.web.js'
import { flipped } from './test-trees.js'

const bytes = fc.uint8Array({ maxLength: 300 })

function testKey() {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const raw = new Uint8Array(Buffer.from(publicKey.export({ format: 'jwk' }).x!, 'base64url'))
  return { publicKey: raw, sign: (message: Uint8Array) => new Uint8Array(sign(null, message, privateKey)) }
}

test('both say the same of any bytes, however they are cut', () => {
  fc.assert(
    fc.property(fc.array(bytes, { maxLength: 4 }), bytes, (parts, key) => {
      const whole = Buffer.concat(parts)
      const hash = Buffer.from(node.sha256(whole)).toString('hex')
      expect(Buffer.from(node.sha256(...parts)).toString('hex')).toBe(hash)
      expect(Buffer.from(web.sha256(...parts)).toString('hex')).toBe(hash)
      const mac = Buffer.from(node.hmacSha256(key, whole)).toString('hex')
      expect(Buffer.from(node.hmacSha256(key, ...parts)).toString('hex')).toBe(mac)
      expect(Buffer.from(web.hmacSha256(key, ...parts)).toString('hex')).toBe(mac)
    }),
  )
})

test('HMAC is the one of RFC 4231', () => {
  const expected = '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843'
  const [key, message] = [Buffer.from('Jefe'), Buffer.from('what do ya want for nothing?')]
  for (const { hmacSha256 } of [node, web]) expect(Buffer.from(hmacSha256(key, message)).toString('hex')).toBe(expected)
})

test('both accept a signature of RFC 8032, and a fresh one', () => {
  const publicKey = Buffer.from('3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c', 'hex')
  const signature = Buffer.from(
    '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    'hex',
  )
  const fresh = testKey()
  const message = Buffer.from('a checkpoint')
  for (const { verifyEd25519 } of [node, web]) {
    expect(verifyEd25519(publicKey, Uint8Array.of(0x72), signature)).toBe(true)
    expect(verifyEd25519(fresh.publicKey, message, fresh.sign(message))).toBe(true)
  }
})

test('both refuse a signature with any bit changed, without throwing', () => {
  const key = testKey()
  const message = Buffer.from('a checkpoint')
  const signature = key.sign(message)
  for (const { verifyEd25519 } of [node, web]) {
    for (let bit = 0; bit < 512; bit += verifyEd25519 === web.verifyEd25519 ? 17 : 1) {
      expect(verifyEd25519(key.publicKey, message, flipped(signature, bit)), `bit ${bit}`).toBe(false)
    }
    for (let bit = 0; bit < 256; bit += 31) {
      expect(verifyEd25519(flipped(key.publicKey, bit), message, signature), `key bit ${bit}`).toBe(false)
    }
    expect(verifyEd25519(key.publicKey, flipped(message, 3), signature)).toBe(false)
  }
})

test('both refuse keys and signatures of another length, without throwing', () => {
  const key = testKey()
  const message = Buffer.from('a checkpoint')
  const signature = key.sign(message)
  for (const { verifyEd25519 } of [node, web]) {
    for (const size of [0, 31, 33, 64]) {
      expect(verifyEd25519(new Uint8Array(size), message, signature)).toBe(false)
      expect(verifyEd25519(key.publicKey, message, signature.slice(0, size - 1))).toBe(false)
    }
    expect(verifyEd25519(new Uint8Array(32).fill(0xff), message, signature)).toBe(false)
  }
})

test('a signature whose scalar is past the order is refused by both', () => {
  // S + L satisfies the same equation; accepting it would give one note many valid signatures (RFC 8032 §5.1.7).
  const key = testKey()
  const message = Buffer.from('a checkpoint')
  const signature = key.sign(message)
  const order = 2n ** 252n + 27742317777372353535851937790883648493n
  let scalar = BigInt(`0x${Buffer.from(signature.slice(32).reverse()).toString('hex')}`) + order
  const malleable = new Uint8Array(signature)
  for (let at = 32; at < 64; at++, scalar >>= 8n) malleable[at] = Number(scalar & 0xffn)
  for (const { verifyEd25519 } of [node, web]) {
    expect(verifyEd25519(key.publicKey, message, malleable)).toBe(false)
  }
})
