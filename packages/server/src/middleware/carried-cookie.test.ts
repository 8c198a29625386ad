/** Which cookie an answer sets again, and which it leaves alone. */
import { Hono } from 'hono'
import { expect, test } from 'vitest'
import { createCarry } from './carried-cookie.js'

const value = '1.3.2026%252E04.analytics1~maps0.tcsg00.tcuao0.AAECAwQFBgcICQoLDA0ODw'

async function carried(
  cookie: string | undefined,
  { publicUrl = 'https://dash.example/_avow', origin = '', domain = undefined as string | undefined } = {},
): Promise<string | null> {
  const carry = createCarry(publicUrl)
  const app = new Hono().post('/', (c) => {
    carry(c, domain, 30)
    return c.json({})
  })
  const headers = { ...(cookie !== undefined && { cookie }), ...(origin && { origin }) }
  return (await app.request('/', { method: 'POST', headers })).headers.get('set-cookie')
}

test('the cookie of a decision is set again for 30 days, byte for byte', async () => {
  expect(await carried(`theme=dark; __Host-avow=${value}; x=1`)).toBe(
    `__Host-avow=${value}; Max-Age=2592000; Path=/; SameSite=Lax; Secure`,
  )
})

test('the public address decides its name and attributes', async () => {
  expect(await carried(`avow=${value}`, { publicUrl: 'http://localhost:8787/_avow' })).toBe(
    `avow=${value}; Max-Age=2592000; Path=/; SameSite=Lax`,
  )
  expect(await carried(`__Secure-avow=${value}`, { domain: 'example' })).toBe(
    `__Secure-avow=${value}; Max-Age=2592000; Path=/; SameSite=Lax; Secure; Domain=example`,
  )
})

test('a page of another host gets none, unless the site shares its choice', async () => {
  const origin = 'https://www.example'
  expect(await carried(`__Host-avow=${value}`, { origin })).toBeNull()
  expect(await carried(`__Secure-avow=${value}`, { origin, domain: 'example' })).not.toBeNull()
  expect(await carried(`__Host-avow=${value}`, { origin: 'https://dash.example' })).not.toBeNull()
})

test('the longest that is taken has 1,024 bytes', async () => {
  expect(await carried(`__Host-avow=${'a'.repeat(1024)}`)).toMatch(/^__Host-avow=a{1024}; /)
})

test.each([
  ['no cookie at all', undefined],
  ['none of ours', 'theme=dark'],
  ['one of another name', `avow=${value}`],
  ['one whose name only decodes to ours', `%5F%5FHost-avow=${value}`],
  ['two of the name', `__Host-avow=${value}; __Host-avow=${value}`],
  ['an empty one', '__Host-avow='],
  ['one that is too long', `__Host-avow=${'a'.repeat(1025)}`],
  ['one with what no decision has', `__Host-avow=${value}"`],
])('%s is not set', async (_, cookie) => {
  expect(await carried(cookie)).toBeNull()
})
