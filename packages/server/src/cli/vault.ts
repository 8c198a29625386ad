/** `avow vault create`: where a vault is lost and there is no copy, makes a new one, so that the ledger can be gone on with. */
import { parseArgs } from 'node:util'
import { readKeys } from '../config.js'
import { InputError } from '../problem.js'
import { blindedSites, openBlinder } from '../vault/blind.js'
import { createKeyring } from '../vault/keyring.js'
import { openVault } from '../vault/vault.js'
import { openStores, STORE_OPTIONS } from './stores.js'

export async function vault(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({ args, allowPositionals: true, options: STORE_OPTIONS })
  if (positionals[0] !== 'create') throw new InputError('command', 'create')
  const keyring = createKeyring(readKeys(process.env))
  const storage = await openStores(values, { mustExist: true, lost: 'vault' })
  try {
    const known = blindedSites(await storage.vaultValues())
    const logs = await storage.logs()
    const lost = logs.filter((log) => !log.includes('.') && !known.includes(log))
    if (lost.length === 0)
      throw new InputError('--vault', 'a vault that is lost: this one knows every site of the ledger')
    await openVault(storage, keyring, true)
    for (const site of lost) await openBlinder(storage, site, keyring)
    console.error(
      `a new vault for ${lost.join(', ')}: what was recorded before can be neither opened nor found, and its proofs stay true`,
    )
    return 0
  } finally {
    await storage.close()
  }
}
