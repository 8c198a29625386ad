/**
 * Forgets a subject's records as the privacy team would, by the built product's own parts: a second ledger on the stores of
 * the running server, as another node has one. There is no route for it yet.
 */
import { openEpochs } from '../../packages/server/dist/ledger/epoch.js'
import { createSigner } from '../../packages/server/dist/ledger/signer.js'
import { createKeyring } from '../../packages/server/dist/vault/keyring.js'

/** `places`: log and index of each record. The rest is what the server was opened with. */
export async function erase({ storage, keys, escrowOf, seed, now }, places, grade) {
  const logs = [...new Set(places.map(({ log }) => log))]
  const [ledger] = await openEpochs(logs, async (log) => {
    const { origin, log: store } = await storage.openLog(log, null)
    const signer = createSigner(origin, seed)
    return { log, store, signer, keyring: createKeyring(keys), escrow: escrowOf(log), now, warn: console.error }
  })
  await ledger.erase(places, grade, 'asked by the person')
}
