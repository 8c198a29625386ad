/** `avow kek`: the keys that wrap the vault. `create` makes one; `rotate` wraps everything anew and destroys the old one. */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, statSync, writeSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { rewrapLog } from '../ledger/rewrap.js'
import { InputError } from '../problem.js'
import { rewrapBlinder } from '../vault/blind.js'
import { createKeyring, formatKeys, generateKey, parseKeys } from '../vault/keyring.js'
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
 * again after a crash, it goes on.
 */
async function rotate(file: string, stores: Parameters<typeof openStores>[0]): Promise<void> {
  const old = parseKeys(readFileSync(file, 'utf8'), file)
  // Opening first: it refuses while a server holds the files, which would go on wrapping with the old key.
  const storage = await openStores(stores)
  try {
    const fresh = generateKey()
    const keyring = createKeyring([fresh, ...old])
    replace(file, formatKeys([fresh, ...old]))
    const logs = await storage.logs()
    for (const log of logs) await rewrapLog(storage, log, keyring, showProgress(`wrapping ${log}`))
    // Epochs of a site share its blind-index key. It comes last, for replacing it also clears what the others left behind.
    for (const site of logs.filter((log) => !log.includes('.'))) await rewrapBlinder(storage, site, keyring)
    replace(file, formatKeys([fresh]))
    console.error(
      `everything is wrapped with key ${keyring.currentId}; the old key is destroyed, and with it every older copy of the vault`,
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

/** Puts the new text in the file's place in one step, and overwrites what was there. */
function replace(file: string, text: string): void {
  const fresh = `${file}.${process.pid}.tmp`
  writeNew(fresh, text)
  const old = openSync(file, 'r+')
  renameSync(fresh, file)
  // Before the old one is overwritten: until its folder is durable, a power cut may bring the old name back.
  const folder = openSync(path.dirname(path.resolve(file)), 'r')
  fsyncSync(folder)
  closeSync(folder)
  writeSync(old, Buffer.alloc(statSync(file).size + 4096), 0)
  fsyncSync(old)
  closeSync(old)
}
