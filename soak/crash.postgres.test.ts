/** `kill -9` at random moments under load, of a node on a real PostgreSQL. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startPostgres, type TestServer } from '../packages/server/src/storage/test-postgres.js'
import { surviveKills } from './support/crashes.js'
import { times } from './support/length.js'
import { createPlace } from './support/place.js'

let postgres: TestServer
beforeAll(async () => {
  postgres = await startPostgres()
})
afterAll(() => postgres.stop())

test('a node on PostgreSQL loses nothing it acknowledged, however often it is killed', async () => {
  const { database, vault } = await postgres.createStores()
  const place = createPlace({ stores: ['--database', database, '--vault', vault], env: { AVOW_NODE: 'node' } })
  try {
    const counts = await surviveKills(place, times(6, 200))
    console.log(`PostgreSQL: ${JSON.stringify(counts)}`)
    expect(counts.kills).toBe(times(6, 200))
  } finally {
    place.remove()
  }
})
