/** Facets in the vault: found by being the same, read by nobody without the key. */
import { expect, test } from 'vitest'
import { createMemoryStorage } from '../storage/memory.js'
import { openBlinder } from './blind.js'
import { createKeyring, generateKey } from './keyring.js'

const storage = createMemoryStorage()
const keyring = createKeyring([generateKey()])
const shop = await openBlinder(storage, 'shop', keyring)

const granted = '{"action":"accept-all","choices":{"analytics":true}}'
const denied = '{"action":"reject-all","choices":{"analytics":false,"maps":false},"language":"zh-Hans — 中文"}'

test('a hidden facet is the same each time, also after a restart, and is shown again', async () => {
  const again = await openBlinder(storage, 'shop', keyring)
  for (const facet of [granted, denied, 'x'.repeat(2000)]) {
    const hidden = shop.hideFacet(facet)
    expect([shop.hideFacet(facet), again.hideFacet(facet)]).toEqual([hidden, hidden])
    expect(again.showFacet(hidden)).toBe(facet)
    expect((await openBlinder(storage, 'shop', keyring)).showFacet(hidden)).toBe(facet)
  }
})

test('it tells nothing by its bytes or its length, and another site hides the same otherwise', async () => {
  const [one, other] = [shop.hideFacet(granted), shop.hideFacet(denied)]
  expect(Buffer.from(one, 'base64url').toString('latin1')).not.toMatch(/accept|analytics/)
  expect(one).not.toBe(other)
  expect(one).toHaveLength(other.length)
  expect((await openBlinder(storage, 'elsewhere', keyring)).hideFacet(granted)).not.toBe(one)
})

test('what this key did not hide, or what was changed since, is refused', async () => {
  const hidden = shop.hideFacet(granted)
  const elsewhere = await openBlinder(storage, 'elsewhere', keyring)
  expect(() => elsewhere.showFacet(hidden)).toThrow()
  const bytes = Buffer.from(hidden, 'base64url')
  bytes[20]! ^= 1
  expect(() => shop.showFacet(bytes.toString('base64url'))).toThrow()
})
