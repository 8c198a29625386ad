/** `avow recover --new-epoch`: where the newest copy of a log is lost, starts a new log that names the last known head. */
import { existsSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { readKeys } from '../config.js'
import { encodeBase64 } from '../ledger/base64.js'
import { openCheckpoint } from '../ledger/checkpoint.js'
import { epochDraft, epochsOf, isUnbegun, nextEpoch, openEpochs } from '../ledger/epoch.js'
import { type Escrow, escrowedLogs, openFileEscrow, originOf } from '../ledger/escrow.js'
import { Ledger } from '../ledger/ledger.js'
import { createSigner } from '../ledger/signer.js'
import { InputError } from '../problem.js'
import { readSeed, requireSigningKey, seedFile } from '../signing-key.js'
import { holdFile } from '../storage/held-file.js'
import type { Storage } from '../storage/storage.js'
import { createKeyring, type Keyring } from '../vault/keyring.js'
import { openVault } from '../vault/vault.js'
import { openStores, STORE_OPTIONS } from './stores.js'

/** `now`: Unix milliseconds. */
export async function recover(args: string[], now: () => number = Date.now): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      ...STORE_OPTIONS,
      site: { type: 'string' },
      escrow: { type: 'string', default: process.env.AVOW_ESCROW || '' },
      'new-epoch': { type: 'boolean', default: false },
      force: { type: 'boolean', default: false },
    },
  })
  if (!values['new-epoch'])
    throw new InputError('--new-epoch', 'to be given: nothing else can be done about a lost log')
  if (!values.site) throw new InputError('--site', 'the site whose log is lost')
  const keyring = createKeyring(readKeys(process.env))
  const folder = values.escrow || path.join(values.data, 'escrow')
  const letGo = holdNodes(folder, values.site)
  const escrows = new Map<string, Escrow>()
  let storage: Storage | null = null
  try {
    storage = await openStores(values, { mustExist: true, lost: 'ledger' })
    await openVault(storage, keyring)
    const escrowOf = (log: string) => {
      const escrow = escrows.get(log) ?? openFileEscrow(folder, log, 'recover')
      escrows.set(log, escrow)
      return escrow
    }
    const seed = () => readSeed(seedFile(values.data, values.site!), false)
    console.log(
      await startEpoch(values.site, { storage, keyring, folder, escrowOf, seed, now, isForced: values.force }),
    )
    return 0
  } finally {
    for (const escrow of escrows.values()) escrow.close()
    await storage?.close()
    letGo()
  }
}

/** Holds what every node of the site that shares the escrow would hold: one that runs would go on with the old log. */
function holdNodes(folder: string, site: string): () => void {
  const held: (() => void)[] = []
  const letGo = () => {
    for (const release of held.splice(0)) release()
  }
  const names = existsSync(folder) ? readdirSync(folder) : []
  try {
    for (const name of names.filter((name) => name.startsWith(`${site}.`) && name.endsWith('.lock')))
      held.push(holdFile(path.join(folder, name), `stop every server of ${site} first`))
    return letGo
  } catch (error) {
    letGo()
    throw error
  }
}

interface Recovery {
  readonly storage: Storage
  readonly keyring: Keyring
  /** Of the escrow. */
  readonly folder: string
  readonly escrowOf: (log: string) => Escrow
  readonly seed: () => Uint8Array
  readonly now: () => number
  /** Whether a log that lacks nothing is given up, too. */
  readonly isForced: boolean
}

/** Begins the site's next epoch, or the one that an interrupted run left without an entry. Answers what to tell. */
async function startEpoch(site: string, recovery: Recovery): Promise<string> {
  const { storage, keyring, escrowOf, seed } = recovery
  const stored = await storage.logs()
  // The escrow knows also what was lost with the ledger, be it the newest epoch or all of it.
  const logs = [...new Set([...stored, ...escrowedLogs(recovery.folder)])]
  if (!logs.includes(site))
    throw new InputError(
      '--site',
      `one of ${logs.join(', ') || `none: neither the data nor ${recovery.folder} holds a log`}`,
    )
  // What is wrong with the old log is why this runs: it need not be told once more.
  const common = { keyring, now: recovery.now, warn: () => {} }
  const partsOf = async (log: string, origin: string | null) => {
    const opened = await storage.openLog(log, origin)
    const signer = createSigner(opened.origin, seed())
    await requireSigningKey(storage, site, signer, (await opened.log.head()).checkpoint)
    return { ...common, log, store: opened.log, signer, escrow: escrowOf(log) }
  }
  const ledgers = await openEpochs(epochsOf(site, logs), async (log) => {
    const head = escrowOf(log).highest()
    if (!head) return partsOf(log, null)
    // Before anything of it is believed, or made anew after it.
    const origin = originOf(head)
    const signer = createSigner(origin, seed())
    await requireSigningKey(storage, site, signer, head.checkpoint)
    openCheckpoint(head.checkpoint, signer.vkey)
    if (stored.includes(log)) await requireOrigin(storage, log, origin, recovery.folder)
    return partsOf(log, origin)
  })
  const isInterrupted = isUnbegun(ledgers)
  const [newest] = ledgers
  const old = isInterrupted ? ledgers[1] : newest
  if (!newest || !old) throw new Error(`no log of ${site} was opened`)
  const escrowed = escrowOf(old.log).highest()
  // What was published last is what outsiders hold. A log that is no fork has all of it, and perhaps more.
  const last = old.fork !== null && escrowed ? escrowed : { ...old.head, root: encodeBase64(old.head.root) }
  if (last.size === 0) throw new InputError('--site', 'a log with entries: this one is new')
  if (old.fork === null && !isInterrupted && !recovery.isForced) {
    throw new Error(
      `there is nothing to recover: the log ${old.log} stands at ${last.size} entries, and holds all that was published. ` +
        'To give it up all the same, add --force',
    )
  }
  const name = isInterrupted ? newest.log : nextEpoch(site, logs)
  const origin = `${old.origin.replace(/\.e\d+$/, '')}.e${name.split('.e').at(-1)}`
  const ledger = isInterrupted ? newest : await Ledger.open({ ...(await partsOf(name, origin)), earlier: ledgers })
  await ledger.append(epochDraft({ origin: old.origin, size: last.size, root: last.root }))
  return `${name} goes on from ${old.log} at ${last.size} entries. Tell whoever watches the log its new key:\n${ledger.vkey}`
}

async function requireOrigin(storage: Storage, log: string, escrowed: string, folder: string): Promise<void> {
  const { origin } = await storage.openLog(log, null)
  if (origin === escrowed) return
  throw new Error(
    `${storage.names.ledger} has the log of ${log} as ${origin}, and the escrow in ${folder} as ${escrowed}: name the escrow of ` +
      'this ledger with --escrow; or, if the ledger is lost and a server made this one since, move it away and run this again',
  )
}
