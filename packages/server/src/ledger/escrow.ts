/**
 * The escrow: the newest head and every tombstone, kept outside the database. A head is fsynced before its checkpoint is
 * published: a database that comes back older than its escrow is a restored copy, and going on from it would fork the log.
 * A tombstone is fsynced before the log has it: no crash, of whatever node, leaves one in the log alone.
 */
import {
  closeSync,
  existsSync,
  fdatasync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeSync,
} from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
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

/** Whatever can't be read or written is an `UnavailableError`. */
export interface Escrow {
  /** The highest head any node put here; null for a new log. */
  highest(): EscrowedHead | null
  /** Of all nodes. One whose erasure was interrupted may be there without standing in the log. */
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
 * them is whole whenever the machine dies, and `<log>.<node>.tombstones` grows by a line for each.
 */
export function openFileEscrow(folder: string, log: string, node: string): Escrow {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const headFile = path.join(folder, `${log}.${node}.head`)
  const isNew = !existsSync(headFile)
  const heads = openSync(headFile, isNew ? 'w+' : 'r+', 0o600)
  const tombstoneFile = path.join(folder, `${log}.${node}.tombstones`)
  const tombstones = openSync(tombstoneFile, 'a', 0o600)
  if (isNew) {
    writeWhole(heads, Buffer.alloc(2 * SLOT_BYTES, ' '), 0)
    fsyncSync(heads)
  }
  syncFolder(folder)
  const slot = Buffer.alloc(SLOT_BYTES)
  let running: Promise<void> = Promise.resolve()
  const slots = readSlots(readFileSync(headFile)).map((head) => head?.size ?? -1)
  let own = Math.max(...slots)
  let turn = slots.indexOf(own) === 0 ? 1 : 0
  return {
    highest() {
      const heads = readAll('head').flatMap((bytes) => readSlots(bytes))
      return heads.reduce((highest, head) => (head && head.size > (highest?.size ?? -1) ? head : highest), null)
    },
    tombstones: () => readAll('tombstones').flatMap((bytes) => parseTombstones(bytes.toString('utf8'), log)),
    put: (head) => inTurn(headFile, () => writeHead(head)),
    putTombstones: (forgotten) => inTurn(tombstoneFile, () => writeTombstones(forgotten)),
    close() {
      closeSync(heads)
      closeSync(tombstones)
    },
  }

  /** The files of all nodes. */
  function readAll(kind: 'head' | 'tombstones'): Buffer[] {
    try {
      return readdirSync(folder)
        .filter(
          (name) =>
            name.startsWith(`${log}.`) &&
            name.endsWith(`.${kind}`) &&
            name.split('.').length === log.split('.').length + 2,
        )
        .map((name) => readFileSync(path.join(folder, name)))
    } catch (error) {
      throw new UnavailableError(`${folder}: the escrow can't be read: ${(error as Error).message}`, { cause: error })
    }
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
    // On a line of its own: going on with one that a crash or a full disk cut short would lose both.
    const lines = ['\n', ...forgotten.map((tombstone) => formatTombstone(tombstone, log))]
    writeWhole(tombstones, Buffer.from(lines.join('')), null)
    await datasync(tombstones)
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

function readSlots(bytes: Buffer): (EscrowedHead | null)[] {
  return [0, 1].map((slot) => {
    try {
      const head = JSON.parse(bytes.toString('utf8', slot * SLOT_BYTES, (slot + 1) * SLOT_BYTES)) as EscrowedHead
      // A slot that was cut in the middle goes on with what stood there before, and may well be JSON: a root of two halves
      // would be taken for a fork. The checkpoint comes last and says the same once more.
      const [, size, root] = head.checkpoint.split('\n')
      return size === String(head.size) && root === head.root ? head : null
    } catch {
      // Empty, or torn by a crash while it was written: the other one is whole.
      return null
    }
  })
}

/** `12 erase`, and the name of the log where it is another one than the escrow's own. */
const formatTombstone = ({ log, index, grade }: EscrowedTombstone, own: string) =>
  `${index} ${grade}${log === own ? '' : ` ${log}`}\n`

/** A last line without its end was cut by a crash, before the tombstone was appended. */
function parseTombstones(text: string, own: string): EscrowedTombstone[] {
  return [...text.matchAll(/^(\d+) (unlink|erase)(?: (\S+))?\n/gm)].map(([, index, grade, log = own]) => ({
    log,
    index: Number(index),
    grade: grade as Grade,
  }))
}

/** A disk that fills up in the middle takes a part and says so by its count alone. */
function writeWhole(descriptor: number, bytes: Uint8Array, position: number | null): void {
  const written = writeSync(descriptor, bytes, 0, bytes.length, position)
  if (written < bytes.length) throw new Error(`only ${written} of ${bytes.length} bytes were written`)
}

/** A new file's name is durable only once its folder is. */
function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r')
  fsyncSync(descriptor)
  closeSync(descriptor)
}
