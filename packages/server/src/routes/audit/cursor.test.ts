import { createHmac } from 'node:crypto'
import { expect, test } from 'vitest'
import { InputError } from '../../problem.js'
import { encodeCursor, parseCursor } from './cursor.js'

const sign = (text: string) => createHmac('sha256', 'key').update(text).digest()
const bound = ['key', 'key_1', 'shop', { action: 'save' }]

test('a cursor is laid out as formats.md says', () => {
  const mac = sign('[1,70000,255,"key","key_1","shop",{"action":"save"}]').subarray(0, 16)
  const bytes = Buffer.concat([Buffer.from('01000000011170' + '0000000000ff', 'hex'), mac])
  expect(encodeCursor({ size: 70_000, index: 255 }, bound, sign)).toBe(bytes.toString('base64url'))
})

test('a cursor is read as it was written, up to the largest index there can be', () => {
  for (const [size, index] of [
    [1, 0],
    [10_000_000, 9_999_999],
    [2 ** 48 - 1, 2 ** 48 - 2],
  ] as const)
    expect(parseCursor(encodeCursor({ size, index }, bound, sign), bound, sign)).toEqual({ size, index })
})

test('a cursor is refused with any of its bits changed, cut short, made longer, or for another question', () => {
  const text = encodeCursor({ size: 500, index: 20 }, bound, sign)
  const bytes = Buffer.from(text, 'base64url')
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const changed = Buffer.from(bytes)
    changed[bit >> 3]! ^= 1 << (bit & 7)
    expect(() => parseCursor(changed.toString('base64url'), bound, sign)).toThrow(InputError)
  }
  for (const other of ['', text.slice(0, -1), `${text}A`, `${text}=`, ` ${text}`, 'x', '🙈'])
    expect(() => parseCursor(other, bound, sign)).toThrow(InputError)
  for (const [i, of] of [
    [0, 'token'],
    [1, 'key_2'],
    [2, 'shop.e2'],
    [3, { action: 'withdraw' }],
  ] as const)
    expect(() => parseCursor(text, bound.with(i, of), sign)).toThrow(InputError)
  expect(() => parseCursor(text, bound, (said) => sign(`${said} `))).toThrow(InputError)
})
