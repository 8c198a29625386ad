/** The demo's settings: what they default to, and what is refused. */

import { InputError } from '@avow/server'
import { expect, test } from 'vitest'
import { parseConfig } from './config.js'

test('without any setting the demo runs on port 8787 of this machine, keeps its data in ./data and limits the rate', () => {
  expect(parseConfig({})).toEqual({
    port: 8787,
    host: '127.0.0.1',
    data: './data',
    rateLimit: 120,
    publicUrl: null,
    origin: null,
  })
})

test('AVOW_RATE_LIMIT=off lifts the rate limit', () => {
  expect(parseConfig({ AVOW_RATE_LIMIT: 'off' }).rateLimit).toBeNull()
})

test.each([
  ['PORT', '80a'],
  ['PORT', '65536'],
  ['PORT', '-1'],
  ['AVOW_RATE_LIMIT', '0'],
  ['AVOW_RATE_LIMIT', 'none'],
  ['AVOW_PUBLIC_URL', 'dash.example'],
  ['AVOW_PUBLIC_URL', 'https://dash.example/path'],
  ['AVOW_ORIGIN', 'https://dash.example'],
])('a wrong %s is refused by name: %s', (name, value) => {
  expect(() => parseConfig({ [name]: value })).toThrow(InputError)
  expect(() => parseConfig({ [name]: value })).toThrow(name)
})
