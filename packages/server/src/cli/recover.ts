/** `avow recover --new-epoch`: where the newest copy of a log is lost, starts a new log that names the last known head. */
import path from 'node:path'
import { parseArgs } from 'node:util'
import { readKeys } from '../config.js'
import { encodeBase64 } from '../ledger/base64.js'
import { epochDraft, epochsOf, nextEpoch } from '../ledger/epoch.js'
import { openFileEscrow } from '../ledger/escrow.js'
import { Ledger } from '../ledger/ledger.js'
import { createSigner } from '../ledger/signer.js'
import { InputError } from '../problem.js'
import { readSeed, seedFile } from '../signing-key.js'
import { createKeyring } from '../vault/keyring.js'
import { openStores, STORE_OPTIONS } from './stores.js'

export async function recover(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      ...STORE_OPTIONS,
      site: { type: 'string' },
      escrow: { type: 'string', default: process.env.AVOW_ESCROW || '' },
      'new-epoch': { type: 'boolean', default: false },
    },
  })
  if (!values['new-epoch'])
    throw new InputError('--new-epoch', 'to be given: nothing else can be done about a lost log')
  if (!values.site) throw new InputError('--site', 'the site whose log is lost')
  const { site } = values
  const keyring = createKeyring(readKeys(process.env))
  const folder = values.escrow || path.join(values.data, 'escrow')
  const storage = await openStores(values)
  try {
    const logs = await storage.logs()
    if (!logs.includes(site))
      throw new InputError('--site', `one of ${logs.join(', ') || 'none: this data holds no log'}`)
    const [newest = site] = epochsOf(site, logs)
    const { origin, log } = await storage.openLog(newest, null)
    const oldEscrow = openFileEscrow(folder, newest, 'recover')
    const stored = await log.head()
    // The head that was published last is what outsiders hold; the stored one may be an older copy.
    const escrowed = oldEscrow.highest()
    oldEscrow.close()
    const old =
      escrowed && escrowed.size >= stored.size
        ? { origin, size: escrowed.size, root: escrowed.root }
        : { origin, size: stored.size, root: encodeBase64(stored.root) }
    if (old.size === 0) throw new InputError('--site', 'a log with entries: this one is new')
    const name = nextEpoch(site, logs)
    const signer = createSigner(
      `${origin.replace(/\.e\d+$/, '')}.e${name.split('.e').at(-1)}`,
      readSeed(seedFile(values.data, site), false),
    )
    const { log: store } = await storage.openLog(name, signer.name)
    const escrow = openFileEscrow(folder, name, 'recover')
    const ledger = await Ledger.open({ log: name, store, signer, keyring, escrow, now: Date.now, warn: console.error })
    await ledger.append(epochDraft(old))
    escrow.close()
    console.log(
      `${name} goes on from ${newest} at ${old.size} entries. Tell whoever watches the log its new key:\n${signer.vkey}`,
    )
    return 0
  } finally {
    await storage.close()
  }
}
