/** Commitments: the formula, and that a secret has one length. */
import { createHmac } from 'node:crypto'
import { expect, test } from 'vitest'
import { commit, SECRET_SIZE } from './commitment.js'

const secret = new Uint8Array(SECRET_SIZE).fill(9)

test('a commitment is the HMAC of its label and the canonical part', () => {
  for (const kind of ['evidence', 'identity', 'body'] as const) {
    const mac = createHmac('sha256', secret).update(`avow/${kind}/v1{"a":1,"b":[true]}`).digest('base64url')
    expect(commit(kind, secret, { b: [true], a: 1 })).toBe(mac)
  }
})

test('neither another secret, kind nor part opens it', () => {
  const all = [
    commit('evidence', secret, { a: 1 }),
    commit('identity', secret, { a: 1 }),
    commit('evidence', secret, { a: 2 }),
    commit('evidence', secret, {}),
    commit('evidence', new Uint8Array(SECRET_SIZE), { a: 1 }),
  ]
  expect(new Set(all).size).toBe(all.length)
})

test('a secret of any other length is refused, even where HMAC would pad it to the same', () => {
  for (const size of [0, 16, 31, 33, 64]) expect(() => commit('evidence', new Uint8Array(size), {})).toThrow('32 bytes')
})
