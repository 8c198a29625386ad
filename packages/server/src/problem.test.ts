/** What went wrong decides whether it is worth asking again. */
import { expect, test } from 'vitest'
import { SITE, testWorld } from './testing.js'
import { createKeyring } from './vault/keyring.js'

/** A world with one record, whose secrets became what `convert` makes of them. */
async function changed(convert: (secrets: Uint8Array) => Uint8Array) {
  const world = await testWorld()
  const { id, index } = await world.consent()
  const { log } = await world.storage.openLog(SITE, null)
  await log.rewrap(index, index + 1, (_, secrets) => convert(secrets))
  const answer = await world.audit(`/records/${id}`)
  return { status: answer.status, retryAfter: answer.headers.get('retry-after'), logged: world.logged.join('\n') }
}

const flipped = (secrets: Uint8Array) => secrets.map((byte, i) => (i === secrets.length - 1 ? byte ^ 1 : byte))

test.each([
  ['changed', flipped, /the wrapped value was changed.*restore the vault from a backup/],
  ['cut short', (secrets: Uint8Array) => secrets.slice(0, 8), /the wrapped value is cut short.*restore the vault/],
] as const)('a secret that was %s is the server’s own fault: asking again is of no use', async (_, convert, told) => {
  const { status, retryAfter, logged } = await changed(convert)
  expect([status, retryAfter]).toEqual([500, null])
  expect(logged).toMatch(told)
})

test('a secret under a key that this process has not is to be asked for again, once it was restarted with the key', async () => {
  const other = createKeyring([new Uint8Array(32).fill(7)])
  const { status, retryAfter, logged } = await changed((secrets) => other.wrap(secrets, 'elsewhere'))
  expect([status, retryAfter]).toEqual([503, '5'])
  expect(logged).toMatch(/was wrapped with key [0-9a-f]{8}, which is not among the keys given/)
})
