import { createHash } from 'node:crypto'
import { expect, test, vi } from 'vitest'
import { createMemoryStorage } from '../storage/memory.js'
import { authenticateKey, createApiKey, createRotation, isLine, OVERLAP_MS } from './api-key.js'

const DAY_MS = 86_400_000
const start = Date.parse('2026-11-23T10:00:00Z')

async function world(more: Partial<Parameters<typeof createApiKey>[0]> = {}) {
  const { keys } = createMemoryStorage()
  const { secret, row } = createApiKey({ name: 'team', sites: ['shop'], scopes: ['audit:read'], ...more }, start)
  await keys.add(row)
  const codeOf = async (bearer: string, now = start): Promise<string> =>
    authenticateKey(keys, bearer, now).then(
      ({ kind }) => kind,
      (error) => error.code,
    )
  return { keys, secret, row, codeOf }
}

test('a key has the prefix of its kind and a checksum, and only its SHA-256 is stored', async () => {
  const { secret, row } = await world({ env: 'test' })
  expect(secret).toMatch(/^avow_test_[\w-]{38}$/)
  expect(Buffer.from(row.hash)).toEqual(createHash('sha256').update(secret).digest())
  expect(JSON.stringify(row)).not.toContain(secret)
})

test('a key keeps each of its sites and scopes once, however often it was named', async () => {
  const { row } = await world({ sites: ['shop', 'blog', 'shop'], scopes: ['audit:read', 'audit:read', 'admin'] })
  expect([row.sites, row.scopes]).toEqual([
    ['shop', 'blog'],
    ['audit:read', 'admin'],
  ])
})

test('what was mistyped, cut short or made up is not looked up, and no refusal repeats it', async () => {
  const { keys, secret, codeOf } = await world()
  const find = vi.fn(keys.find)
  const other = secret.endsWith('A') ? 'B' : 'A'
  for (const bearer of [
    '',
    'avow_',
    secret.slice(0, -1),
    secret.slice(0, -1) + other,
    `${secret}A`,
    secret.toUpperCase(),
  ]) {
    const error = await authenticateKey({ ...keys, find }, bearer, start).catch((error) => error)
    expect([bearer, error.code]).toEqual([bearer, 'unauthorized'])
    if (bearer.length > 10) expect(JSON.stringify({ ...error, message: error.message })).not.toContain(bearer)
  }
  expect(find).not.toHaveBeenCalled()
  expect(await codeOf(secret)).toBe('key')
  expect(await codeOf((await world()).secret)).toBe('unauthorized')
})

test('a key ends at its time, and at once when it is revoked', async () => {
  const { keys, secret, row, codeOf } = await world({ expiresAt: start + 1000 })
  expect([await codeOf(secret, start + 999), await codeOf(secret, start + 1000)]).toEqual(['key', 'key-expired'])
  await keys.revoke(row.id, start + 5)
  expect([await codeOf(secret, start + 4), await codeOf(secret, start + 5)]).toEqual(['key', 'key-revoked'])
})

test('after a rotation both secrets work for a day, then the new one alone, under the same id', async () => {
  const { keys, secret, row, codeOf } = await world()
  const { secret: fresh, rotation } = createRotation(row, { overlapMs: OVERLAP_MS }, start)
  await keys.rotate(row.id, rotation)
  for (const one of [secret, fresh]) expect((await authenticateKey(keys, one, start + DAY_MS - 1)).id).toBe(row.id)
  expect([await codeOf(secret, start + DAY_MS), await codeOf(fresh, start + DAY_MS)]).toEqual(['key-expired', 'key'])
})

test('a rotation keeps no old secret longer than it would have lived', async () => {
  const { row } = await world({ expiresAt: start + 1000 })
  const wanted = { overlapMs: OVERLAP_MS, expiresAt: start + 90 * DAY_MS }
  expect(createRotation(row, wanted, start).rotation).toMatchObject({
    oldUntil: start + 1000,
    expiresAt: start + 90 * DAY_MS,
  })
  expect(createRotation(row, { overlapMs: 0 }, start).rotation).toMatchObject({
    oldUntil: start,
    expiresAt: start + 1000,
  })
})

test('the last use is a UTC day, written once a day', async () => {
  const { keys, secret, row } = await world()
  const used = vi.fn(keys.used)
  for (const hours of [0, 1, 13.9]) await authenticateKey({ ...keys, used }, secret, start + hours * 3_600_000)
  expect([used.mock.calls.length, (await keys.get(row.id))?.usedOn]).toEqual([1, '2026-11-23'])
  await authenticateKey({ ...keys, used }, secret, start + 14 * 3_600_000)
  expect([used.mock.calls.length, (await keys.get(row.id))?.usedOn]).toEqual([2, '2026-11-24'])
})

test('a name is one line that reads from one end to the other, in any script', () => {
  const hidden = [0x0, 0x0a, 0x85, 0x2028, 0x2029, 0xd800, 0x061c, 0x200e, 0x200f]
  for (let code = 0x202a; code <= 0x202e; code++) hidden.push(code)
  for (let code = 0x2066; code <= 0x2069; code++) hidden.push(code)
  for (const code of hidden)
    expect([code.toString(16), isLine(`a${String.fromCharCode(code)}b`, 100)]).toEqual([code.toString(16), false])
  for (const name of ['Ann', 'équipe vie privée', 'صفاء', 'נועה', '公司 👩‍💻', 'x'.repeat(100)])
    expect([name, isLine(name, 100)]).toEqual([name, true])
  for (const name of ['', ' ', 'x'.repeat(101)]) expect(isLine(name, 100)).toBe(false)
})
