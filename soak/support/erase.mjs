/**
 * Erases records while the server is stopped, by the built product's own parts: `erase.mjs <data> <kek> <grade> <index>…`.
 * There is no route for it yet.
 */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { openFileEscrow } from '../../packages/server/dist/ledger/escrow.js'
import { Ledger } from '../../packages/server/dist/ledger/ledger.js'
import { createSigner } from '../../packages/server/dist/ledger/signer.js'
import { readSeed, seedFile } from '../../packages/server/dist/signing-key.js'
import { openSqliteStorage } from '../../packages/server/dist/storage/sqlite.js'
import { createKeyring, parseKeys } from '../../packages/server/dist/vault/keyring.js'

const SITE = 'shop'
const [data, kekFile, grade, ...indexes] = process.argv.slice(2)

const storage = await openSqliteStorage(data)
const { origin, log: store } = await storage.openLog(SITE, null)
const escrow = openFileEscrow(path.join(data, 'escrow'), SITE, 'node')
const ledger = await Ledger.open({
  log: SITE,
  store,
  signer: createSigner(origin, readSeed(seedFile(data, SITE), false)),
  keyring: createKeyring(parseKeys(readFileSync(kekFile, 'utf8'), kekFile)),
  escrow,
  now: Date.now,
  warn: console.error,
})
await ledger.erase(indexes.map(Number), grade, 'asked by the person')
escrow.close()
await storage.close()
