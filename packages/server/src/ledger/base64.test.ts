/** Base64: one text for some bytes, and no bytes for any other text. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeBase64, decodeBase64url, EncodingError, encodeBase64, encodeBase64url } from './base64.js'

test('both spellings are those of Node, and are read back', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      expect(encodeBase64(bytes)).toBe(Buffer.from(bytes).toString('base64'))
      expect(encodeBase64url(bytes)).toBe(Buffer.from(bytes).toString('base64url'))
      expect(decodeBase64(encodeBase64(bytes))).toEqual(bytes)
      expect(decodeBase64url(encodeBase64url(bytes))).toEqual(bytes)
    }),
  )
})

test('whatever text is read is the one that would be written', () => {
  const letters = fc.string({ unit: fc.constantFrom(...'AQgwz09+/-_= \n'), maxLength: 9 })
  const pairs = [
    [decodeBase64, encodeBase64],
    [decodeBase64url, encodeBase64url],
  ] as const
  for (const [decode, encode] of pairs) {
    fc.assert(
      fc.property(letters, (text) => {
        let bytes: Uint8Array
        try {
          bytes = decode(text)
        } catch (error) {
          expect(error).toBeInstanceOf(EncodingError)
          return
        }
        expect(encode(bytes)).toBe(text)
      }),
      { numRuns: 2000 },
    )
  }
})

test('missing padding, stray bits, white space and the other alphabet are refused', () => {
  for (const text of [
    'QQ',
    'QQ=',
    'QQ===',
    'Q===',
    '====',
    '=',
    'QR==',
    'QUJ=',
    'QQ==\n',
    ' QQ==',
    'Q Q=',
    '-_-_',
    'QQ==QQ==',
    'é===',
  ]) {
    expect(() => decodeBase64(text), text).toThrow(EncodingError)
  }
  for (const text of ['Q', 'QQ==', 'QR', 'QUJ', '+/+/', 'Q Q', 'QUJDé', 'QUJD\n']) {
    expect(() => decodeBase64url(text), text).toThrow(EncodingError)
  }
})
