/** One seed for all nodes of a site, and for all its life. */
import { cpSync, existsSync, rmSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { createMemoryEscrow } from './ledger/escrow.js'
import { generateSeed } from './ledger/signer.js'
import { readSeed, seedFile } from './signing-key.js'
import { createMemoryStorage } from './storage/memory.js'
import { testFolder } from './test-folder.js'
import { SITE, testWorld } from './testing.js'

/** A node that keeps its seed in a folder of its own, on stores that all share. */
function nodes() {
  const storage = createMemoryStorage()
  const escrow = createMemoryEscrow()
  const seeds = () => path.join(testFolder(), 'data')
  const start = (data: string) =>
    testWorld({
      storage,
      escrowOf: (log) => (log === SITE ? escrow : createMemoryEscrow()),
      seedOf: (site, isNew) => readSeed(seedFile(data, site), isNew),
    })
  return { storage, escrow, seeds, start }
}

const NOT_THE_SEED = /keys\/shop\.seed.* is not the one .*: copy it from the first node/

test('of nodes that start at once on new stores, each with a seed of its own, one is refused and told what to copy', async () => {
  const { seeds, start } = nodes()
  const [a, b] = [seeds(), seeds()]
  const started = await Promise.allSettled([start(a), start(b)])
  expect(started.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
  const refused = started.findIndex(({ status }) => status === 'rejected')
  expect((started[refused] as PromiseRejectedResult).reason.message).toMatch(NOT_THE_SEED)
  const [own, other] = refused === 0 ? [b, a] : [a, b]
  cpSync(seedFile(own, SITE), seedFile(other, SITE))
  const second = await start(other)
  expect((await second.consent()).index).toBeGreaterThan(0)
})

test('a log that another key signed is not opened, and the cure is said', async () => {
  const { seeds, start } = nodes()
  const first = seeds()
  await (await start(first)).consent()
  const other = seeds()
  readSeed(seedFile(other, SITE), true)
  await expect(start(other)).rejects.toThrow(NOT_THE_SEED)
  await start(first)
})

test('no new seed is made where only the escrow still knows that something was signed', async () => {
  const { escrow, seeds, start } = nodes()
  const first = seeds()
  await (await start(first)).consent()
  const other = seeds()
  const lost = testWorld({
    escrowOf: (log) => (log === SITE ? escrow : createMemoryEscrow()),
    seedOf: (site, isNew) => readSeed(seedFile(other, site), isNew),
  })
  await expect(lost).rejects.toThrow(/shop\.seed is missing, and the log was signed with it.*from another node/)
  expect(existsSync(seedFile(other, SITE))).toBe(false)
})

test('a seed is made once, and one of another length is refused by name', () => {
  const file = seedFile(testFolder(), SITE)
  const seed = readSeed(file, true)
  expect(readSeed(file, false)).toEqual(seed)
  expect(seed).not.toEqual(generateSeed())
  rmSync(file)
  expect(() => readSeed(file, false)).toThrow(/is missing/)
})
