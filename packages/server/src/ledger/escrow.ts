/**
 * The escrow: the newest head and every tombstone, kept outside the database. A head is fsynced before its checkpoint is
 * published: a database that comes back older than its escrow is a restored copy, and going on from it would fork the log.
 * A tombstone is fsynced before the log has it: no crash, of whatever node, leaves one in the log alone.
 */
import { closeSync, existsSync, fdatasync, mkdirSync, openSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { replaceFile, syncFolder, writeWhole } from '../storage/durable-file.js'
import { type Grade, type Head, UnavailableError } from '../storage/storage.js'
import { encodeBase64 } from './base64.js'

/** What is to be forgotten, by its place. Not about anybody: an index and a grade. */
export interface EscrowedTombstone {
  /** Name of the log that the record is in: this one, or an earlier epoch of it. */
  readonly log: string
  readonly index: number
  readonly grade: Grade
}

export interface EscrowedHead {
  readonly size: number
  readonly root: string
  /** When its last entry was recorded, Unix milliseconds. */
  readonly recordedAt: number
  readonly checkpoint: string
}

/** Whatever can't be read or written, or is damaged, is an `UnavailableError`. */
export interface Escrow {
  /** The highest head any node put here; null for a new log. Throws if it may have been higher, and is damaged. */
  highest(): EscrowedHead | null
  /** Of all nodes. One whose erasure was interrupted may be there without standing in the log. Throws if some may be lost. */
  tombstones(): EscrowedTombstone[]
  /** Durable when it resolves; if it rejects, the head must not be published. One below what this node put is passed over. */
  put(head: Head): Promise<void>
  /** Durable when it resolves, which must be before the tombstones are appended. */
  putTombstones(tombstones: readonly EscrowedTombstone[]): Promise<void>
  close(): void
}

const datasync = promisify(fdatasync)

/** A slot holds one head, padded, so that writing it never changes the file's size. A checkpoint with witnesses is under 4 KiB. */
const SLOT_BYTES = 8192

/**
 * Escrow in a folder, which several nodes may share: `<log>.<node>.head` has two slots written in turn, so that one of
 * them is whole whenever the machine dies, and `<log>.<node>.tombstones` grows by a line for each. Throws, nothing being
 * written, if any of the log's files is damaged.
 */
export function openFileEscrow(folder: string, log: string, node: string): Escrow {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const all = readFileEscrow(folder, log)
  // Before anything is made: a damaged file must not pass for a new one, nor a new one stand beside it.
  all.highest()
  all.tombstones()
  const headFile = path.join(folder, `${log}.${node}.head`)
  // Under its name only when it is whole: one of another length is damaged, not new.
  if (!existsSync(headFile)) replaceFile(headFile, Buffer.alloc(2 * SLOT_BYTES, ' '))
  const heads = openSync(headFile, 'r+')
  syncFolder(folder)
  const tombstoneFile = path.join(folder, `${log}.${node}.tombstones`)
  const slot = Buffer.alloc(SLOT_BYTES)
  let running: Promise<void> = Promise.resolve()
  const slots = readSlots(readFileSync(headFile), headFile).map((head) => head?.size ?? -1)
  let own = Math.max(...slots)
  let turn = own >= 0 && slots.indexOf(own) === 0 ? 1 : 0
  return {
    ...all,
    put: (head) => inTurn(headFile, () => writeHead(head)),
    putTombstones: (forgotten) => inTurn(tombstoneFile, () => writeTombstones(forgotten)),
    close: () => closeSync(heads),
  }

  /** One at a time: two under way could tear both slots in one power cut. */
  function inTurn(file: string, write: () => Promise<void>): Promise<void> {
    const written = running.then(write).catch((error: Error) => {
      throw new UnavailableError(`${file}: the escrow can't be written: ${error.message}`, { cause: error })
    })
    // Whoever waits for this one is told; the next one may fare better.
    running = written.catch(() => {})
    return written
  }

  async function writeTombstones(forgotten: readonly EscrowedTombstone[]): Promise<void> {
    // A crash or a full disk may have cut the last line short. It could be taken for another record's: it is struck out.
    const lines = [`${STRUCK_OUT}\n`, ...forgotten.map((tombstone) => formatTombstone(tombstone, log))]
    const tombstones = openSync(tombstoneFile, 'a', 0o600)
    try {
      writeWhole(tombstones, Buffer.from(lines.join('')), null)
      await datasync(tombstones)
    } finally {
      closeSync(tombstones)
    }
    syncFolder(folder)
  }

  async function writeHead({ size, root, recordedAt, checkpoint }: Head): Promise<void> {
    // A reader that was overtaken: where the node stood last must never be less than it was.
    if (size < own) return
    const text = JSON.stringify({ size, root: encodeBase64(root), recordedAt, checkpoint })
    const bytes = Buffer.byteLength(text)
    if (bytes > SLOT_BYTES) throw new Error(`a head of ${bytes} bytes does not fit its escrow slot`)
    slot.fill(' ')
    slot.write(text)
    writeWhole(heads, slot, turn * SLOT_BYTES)
    // Awaited in the thread pool: this is the one fsync that would keep requests waiting.
    await datasync(heads)
    // Only now: after a failure the same slot is written again, for the other one is known to be whole.
    turn = 1 - turn
    own = size
  }
}

/** What all nodes put there, without being one of them. */
export function readFileEscrow(folder: string, log: string): Pick<Escrow, 'highest' | 'tombstones'> {
  return {
    highest() {
      const heads = read('head').flatMap(({ file, bytes }) => readSlots(bytes, file))
      return heads.reduce((highest, head) => (head && head.size > (highest?.size ?? -1) ? head : highest), null)
    },
    tombstones: () =>
      read('tombstones').flatMap(({ file, bytes }) => parseTombstones(bytes.toString('utf8'), log, file)),
  }

  function read(kind: Kind): { file: string; bytes: Buffer }[] {
    return filesIn(folder, kind)
      .filter((file) => file.log === log)
      .map(({ name }) => {
        const file = path.join(folder, name)
        return { file, bytes: reading(folder, () => readFileSync(file)) }
      })
  }
}

/** Names of the logs that have a head here, whatever the stores know: an older copy of the ledger lacks the newest epochs. */
export function escrowedLogs(folder: string): string[] {
  if (!existsSync(folder)) return []
  const logs = new Set(filesIn(folder, 'head').map(({ log }) => log))
  return [...logs].filter((log) => readFileEscrow(folder, log).highest() !== null)
}

/** The origin of the log, as its checkpoint says it; not verified. */
export const originOf = ({ checkpoint }: EscrowedHead): string => checkpoint.split('\n')[0]!

type Kind = 'head' | 'tombstones'

function filesIn(folder: string, kind: Kind): { name: string; log: string }[] {
  const names = reading(folder, () => readdirSync(folder)).filter((name) => name.endsWith(`.${kind}`))
  return names.map((name) => ({ name, log: name.split('.').slice(0, -2).join('.') }))
}

function reading<T>(folder: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw new UnavailableError(`${folder}: the escrow can't be read: ${(error as Error).message}`, { cause: error })
  }
}

/** Somebody else's escrow, which may say what it likes of a store that is away: whatever it is, it may work again later. */
export function guardEscrow(escrow: Escrow, log: string): Escrow {
  const away = (error: unknown): never => {
    if (error instanceof UnavailableError) throw error
    const reason = error instanceof Error ? error.message : String(error)
    throw new UnavailableError(`the escrow of ${log}: ${reason}`, { cause: error })
  }
  const asking = <T>(ask: () => T): T => {
    try {
      return ask()
    } catch (error) {
      return away(error)
    }
  }
  return {
    highest: () => asking(() => escrow.highest()),
    tombstones: () => asking(() => escrow.tombstones()),
    put: (head) => asking(() => escrow.put(head)).catch(away),
    putTombstones: (tombstones) => asking(() => escrow.putTombstones(tombstones)).catch(away),
    close: () => escrow.close(),
  }
}

/** Nothing outlives the process: for tests, and for stores in memory. */
export function createMemoryEscrow(): Escrow {
  let highest: EscrowedHead | null = null
  const forgotten: EscrowedTombstone[] = []
  return {
    highest: () => highest,
    tombstones: () => [...forgotten],
    async put({ size, root, recordedAt, checkpoint }) {
      if (size >= (highest?.size ?? 0)) highest = { size, root: encodeBase64(root), recordedAt, checkpoint }
    },
    async putTombstones(tombstones) {
      forgotten.push(...tombstones)
    },
    close: () => {},
  }
}

/** Two heads, null for a slot that was never written whole. Throws if there may have been a head and there is none. */
function readSlots(bytes: Buffer, file: string): (EscrowedHead | null)[] {
  const [first, second] = [bytes.toString('utf8', 0, SLOT_BYTES), bytes.toString('utf8', SLOT_BYTES)]
  const heads = [readSlot(first), readSlot(second)]
  // Empty, or the very first head was cut by a crash: it was never published.
  const isNew = second.trim() === '' && /^(\{[^}]*)?$/.test(first.trim())
  if (bytes.length === 2 * SLOT_BYTES && (isNew || heads.some((head) => head !== null))) return heads
  throw damaged(file, 'if there is none, move it away once you are sure that the ledger is the newest copy')
}

function readSlot(slot: string): EscrowedHead | null {
  try {
    const head = JSON.parse(slot) as EscrowedHead
    // A slot that was cut in the middle goes on with what stood there before, and may well be JSON: a root of two halves
    // would be taken for a fork. The checkpoint comes last and says the same once more.
    const [, size, root] = head.checkpoint.split('\n')
    return size === String(head.size) && root === head.root ? head : null
  } catch {
    // Empty, or torn by a crash while it was written: the other one is whole.
    return null
  }
}

/** `12 erase`, and the name of the log where it is another one than the escrow's own. */
const formatTombstone = ({ log, index, grade }: EscrowedTombstone, own: string) =>
  `${index} ${grade}${log === own ? '' : ` ${log}`}\n`

/** Ends a line that may have been cut, which then says nothing. No name of a log holds it. */
const STRUCK_OUT = '#'

/** A last line without its end was cut by a crash, before the tombstone was appended. */
function parseTombstones(text: string, own: string, file: string): EscrowedTombstone[] {
  const lines = text.split('\n').slice(0, -1)
  return lines.flatMap((line, i) => {
    if (line.endsWith(STRUCK_OUT)) return []
    const [, index, grade, log = own] = /^(\d+) (unlink|erase)(?: (\S+))?$/.exec(line) ?? []
    if (index === undefined) {
      throw damaged(
        `${file}, line ${i + 1},`,
        'if there is none, take the line out: whom it forgot then comes back with an older vault',
      )
    }
    return [{ log, index: Number(index), grade: grade as Grade }]
  })
}

/** `otherwise`: what is left where there is no backup. */
const damaged = (what: string, otherwise: string) =>
  new UnavailableError(`${what} is damaged: restore it from a backup; ${otherwise}. Nothing was written`)
