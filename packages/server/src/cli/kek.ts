/** `avow kek`: the keys that wrap the vault. `create` makes one; `rotate` wraps everything anew and destroys the old one. */
import { closeSync, openSync, readFileSync, realpathSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { rewrapLog } from '../ledger/rewrap.js'
import { InputError } from '../problem.js'
import { createFile, destroyFile, overwrite, replaceFile } from '../storage/durable-file.js'
import { holdFile } from '../storage/held-file.js'
import { rewrapBlinders } from '../vault/blind.js'
import { createKeyring, formatKeys, generateKey, parseKeys } from '../vault/keyring.js'
import { checkVault } from '../vault/vault.js'
import { showProgress } from './progress.js'
import { openStores, STORE_OPTIONS, type StoreChoice } from './stores.js'

export async function kek(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { ...STORE_OPTIONS, kek: { type: 'string', default: process.env.AVOW_KEK_FILE || '' } },
  })
  const [command, file = values.kek] = positionals
  if (!file) throw new InputError('FILE', 'the file of the key, or AVOW_KEK_FILE')
  if (command === 'create') {
    createKeys(file)
    console.error(`${file} holds a new key. Keep a copy apart from the data: without it the vault can't be read.`)
    return 0
  }
  if (command !== 'rotate') throw new InputError('command', 'create or rotate')
  // Where it is, not what leads there: that stays, and two rotations by different names are two of one file.
  const whole = realpathSync(file)
  // Two at once would each destroy the key that the other has just made.
  const letGo = holdFile(`${whole}.lock`, 'another rotation of this key is under way, let it end')
  try {
    await rotate(whole, values)
  } finally {
    letGo()
  }
  return 0
}

/**
 * In an order that survives a crash at any point: the file holds every key that something is still wrapped with. Run
 * again after a crash, it goes on. Servers that still run with the old key are refused from the moment the new one counts.
 */
async function rotate(file: string, stores: StoreChoice): Promise<void> {
  const storage = await openStores(stores, { mustExist: true })
  try {
    // A rotation that was cut short in the middle of writing it left keys there.
    destroyFile(draftOf(file))
    const text = readFileSync(file, 'utf8')
    const old = parseKeys(text, file)
    const { ledger, vault } = storage.names
    const before = await checkVault(storage, createKeyring(old))
    // Not the stores of this key: what it wraps elsewhere would be lost with it.
    if (before === null)
      throw new Error(
        `${vault} has no key yet, opened beside ${ledger}: name the stores that ${file} is the key of, with --data or with ` +
          '--database and --vault; nothing was written',
      )
    const fresh = generateKey()
    const keyring = createKeyring([fresh, ...old])
    const both = formatKeys([fresh, ...old])
    replaceKeys(file, text, both)
    await storage.useKey(keyring.currentId, before)
    for (const log of await storage.logs()) await rewrapLog(storage, log, keyring, showProgress(`wrapping ${log}`))
    // Last, for replacing these also clears what the others left behind.
    await rewrapBlinders(storage, keyring)
    replaceKeys(file, both, formatKeys([fresh]))
    console.error(
      `everything in ${vault} (of ${ledger}) is wrapped with key ${keyring.currentId}; the old key is destroyed, and with it ` +
        'every older copy of this vault. Servers start with this file alone',
    )
  } finally {
    await storage.close()
  }
}

/** Puts `text` in the place of `before`, and overwrites what was there. Throws if somebody else has changed it. */
function replaceKeys(file: string, before: string, text: string): void {
  const old = openSync(file, 'r+')
  try {
    // A key that somebody put there may be nowhere else.
    if (readFileSync(file, 'utf8') !== before)
      throw new Error(`${file} was changed meanwhile: run avow kek rotate again`)
    replaceFile(file, text, draftOf(file))
    // Only now: until its folder is durable, a power cut may bring the old name back.
    overwrite(old)
  } finally {
    closeSync(old)
  }
}

/** One name, so that what a crash leaves there is found again. */
const draftOf = (file: string) => `${file}.new`

function createKeys(file: string): void {
  try {
    createFile(file, formatKeys([generateKey()]))
  } catch (error) {
    throw new InputError(file, `a file that isn't there yet, where there is room (${(error as Error).message})`)
  }
}
