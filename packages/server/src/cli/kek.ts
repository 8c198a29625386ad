/** `avow kek`: the keys that wrap the vault. `create` makes one; `rotate` wraps everything anew and destroys the old one. */
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { rewrapLog } from '../ledger/rewrap.js'
import { InputError } from '../problem.js'
import { rewrapBlinders } from '../vault/blind.js'
import { createKeyring, formatKeys, generateKey, parseKeys } from '../vault/keyring.js'
import { checkVault } from '../vault/vault.js'
import { showProgress } from './progress.js'
import { openStores, STORE_OPTIONS } from './stores.js'

export async function kek(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { ...STORE_OPTIONS, kek: { type: 'string', default: process.env.AVOW_KEK_FILE || '' } },
  })
  const [command, file = values.kek] = positionals
  if (!file) throw new InputError('FILE', 'the file of the key, or AVOW_KEK_FILE')
  if (command === 'create') {
    writeNew(file, formatKeys([generateKey()]))
    console.error(`${file} holds a new key. Keep a copy apart from the data: without it the vault can't be read.`)
    return 0
  }
  if (command !== 'rotate') throw new InputError('command', 'create or rotate')
  await rotate(file, values)
  return 0
}

/**
 * In an order that survives a crash at any point: the file holds every key that something is still wrapped with. Run
 * again after a crash, it goes on. Servers that still run with the old key are refused from the moment the new one counts.
 */
async function rotate(file: string, stores: Parameters<typeof openStores>[0]): Promise<void> {
  // A rotation that was cut short in the middle of writing it left keys there.
  destroy(draftOf(file))
  const text = readFileSync(file, 'utf8')
  const old = parseKeys(text, file)
  const storage = await openStores(stores)
  try {
    const before = await checkVault(storage, createKeyring(old))
    const fresh = generateKey()
    const keyring = createKeyring([fresh, ...old])
    const both = formatKeys([fresh, ...old])
    replace(file, text, both)
    await storage.useKey(keyring.currentId, before)
    for (const log of await storage.logs()) await rewrapLog(storage, log, keyring, showProgress(`wrapping ${log}`))
    // Last, for replacing these also clears what the others left behind.
    await rewrapBlinders(storage, keyring)
    replace(file, both, formatKeys([fresh]))
    console.error(
      `everything is wrapped with key ${keyring.currentId}; the old key is destroyed, and with it every older copy of the vault. ` +
        'Servers start with this file alone',
    )
  } finally {
    await storage.close()
  }
}

function writeNew(file: string, text: string): void {
  let descriptor: number
  try {
    descriptor = openSync(file, 'wx', 0o600)
  } catch (error) {
    throw new InputError(file, `a file that isn't there yet (${(error as Error).message})`)
  }
  writeSync(descriptor, text)
  fsyncSync(descriptor)
  closeSync(descriptor)
}

/** One name, so that what a crash leaves there is found again. */
const draftOf = (file: string) => `${file}.new`

/** Puts `text` in the place of `before` in one step, and overwrites what was there. Throws if another rotation came between. */
function replace(file: string, before: string, text: string): void {
  const fresh = draftOf(file)
  const old = openSync(file, 'r+')
  try {
    writeNew(fresh, text)
    // The key that another rotation made is nowhere else.
    if (readFileSync(file, 'utf8') !== before)
      throw new Error(`${file} was changed meanwhile: run avow kek rotate again`)
    renameSync(fresh, file)
    syncFolder(file)
    // Only now: until its folder is durable, a power cut may bring the old name back.
    overwrite(old)
  } catch (error) {
    destroy(fresh)
    throw error
  } finally {
    closeSync(old)
  }
}

/** Overwrites a file and removes it, if it is there. */
function destroy(file: string): void {
  if (!existsSync(file)) return
  const descriptor = openSync(file, 'r+')
  overwrite(descriptor)
  closeSync(descriptor)
  rmSync(file)
}

function overwrite(descriptor: number): void {
  writeSync(descriptor, Buffer.alloc(fstatSync(descriptor).size), 0)
  fsyncSync(descriptor)
}

function syncFolder(file: string): void {
  const folder = openSync(path.dirname(path.resolve(file)), 'r')
  fsyncSync(folder)
  closeSync(folder)
}
