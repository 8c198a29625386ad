/**
 * Erases records while the server is stopped, by the built product's own parts: `erase.mjs <data> <kek> <grade> <index>…`.
 * Records of an
 * earlier epoch, too: an index is `<log>/<index>`, or a number for the first one. There is no route for it yet.
 */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { epochsOf, openEpochs } from '../../packages/server/dist/ledger/epoch.js'
import { openFileEscrow } from '../../packages/server/dist/ledger/escrow.js'
import { createSigner } from '../../packages/server/dist/ledger/signer.js'
import { readSeed, seedFile } from '../../packages/server/dist/signing-key.js'
import { openSqliteStorage } from '../../packages/server/dist/storage/sqlite.js'
import { createKeyring, parseKeys } from '../../packages/server/dist/vault/keyring.js'
import { openVault } from '../../packages/server/dist/vault/vault.js'

const SITE = 'shop'
const [data, kekFile, grade, ...indexes] = process.argv.slice(2)

const storage = await openSqliteStorage(data)
const keyring = createKeyring(parseKeys(readFileSync(kekFile, 'utf8'), kekFile))
await openVault(storage, keyring)
const escrows = []
const [ledger] = await openEpochs(epochsOf(SITE, await storage.logs()), async (log) => {
  const { origin, log: store } = await storage.openLog(log, null)
  const signer = createSigner(origin, readSeed(seedFile(data, SITE), false))
  const escrow = openFileEscrow(path.join(data, 'escrow'), log, 'node')
  escrows.push(escrow)
  return { log, store, signer, keyring, escrow, now: Date.now, warn: console.error }
})
const records = indexes.map((place) => {
  const [index, log = SITE] = place.split('/').reverse()
  return { log, index: Number(index) }
})
await ledger.erase(records, grade, 'asked by the person')
for (const escrow of escrows) escrow.close()
await storage.close()
