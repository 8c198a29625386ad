/**
 * The escrow: the newest head and every tombstone, kept outside the database, fsynced before a checkpoint is published. A
 * database that comes back older than its escrow is a restored copy: going on from it would fork the log.
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
import { type Grade, UnavailableError } from '../storage/storage.js'
import { encodeBase64 } from './base64.js'

/** What was forgotten, by its place. Not about anybody: an index and a grade. */
export interface EscrowedTombstone {
  readonly index: number
  readonly grade: Grade
}

export interface EscrowedHead {
  readonly size: number
  readonly root: string
  readonly checkpoint: string
}

export interface Escrow {
  /** The highest head any node put here; null for a new log. */
  highest(): EscrowedHead | null
  /** Size of the last head this very node put here; null if it never did. */
  ownSize(): number | null
  tombstones(): EscrowedTombstone[]
  /** Durable when it resolves. Rejects with `UnavailableError` if it can't be written: then the head must not be published. */
  put(
    head: { size: number; root: Uint8Array; checkpoint: string },
    tombstones: readonly EscrowedTombstone[],
  ): Promise<void>
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
  // The next line would go on a line that a crash cut short, and both would be lost.
  if (!/(^|\n)$/.test(readFileSync(tombstoneFile, 'utf8'))) writeSync(tombstones, '\n')
  if (isNew) {
    writeSync(heads, Buffer.alloc(2 * SLOT_BYTES, ' '), 0, 2 * SLOT_BYTES, 0)
    fsyncSync(heads)
    syncFolder(folder)
  }
  const slot = Buffer.alloc(SLOT_BYTES)
  let running: Promise<void> = Promise.resolve()
  let turn = newestSlot(readFileSync(headFile)) === 0 ? 1 : 0
  const filesOf = (kind: 'head' | 'tombstones') =>
    readdirSync(folder)
      .filter(
        (name) =>
          name.startsWith(`${log}.`) &&
          name.endsWith(`.${kind}`) &&
          name.split('.').length === log.split('.').length + 2,
      )
      .map((name) => path.join(folder, name))
  return {
    highest() {
      let highest: EscrowedHead | null = null
      for (const file of filesOf('head')) {
        for (const head of readSlots(readFileSync(file))) if (head && head.size > (highest?.size ?? -1)) highest = head
      }
      return highest
    },
    ownSize() {
      const sizes = readSlots(readFileSync(headFile)).map((head) => head?.size ?? -1)
      return Math.max(...sizes) < 0 ? null : Math.max(...sizes)
    },
    tombstones: () => filesOf('tombstones').flatMap((file) => parseTombstones(readFileSync(file, 'utf8'))),
    put(head, forgotten) {
      const put = running.then(() => write(head, forgotten))
      running = put.catch(() => {})
      return put
    },
    close() {
      closeSync(heads)
      closeSync(tombstones)
    },
  }

  /** One at a time: two under way could tear both slots in one power cut. Rejects with `UnavailableError`. */
  async function write(head: Parameters<Escrow['put']>[0], forgotten: readonly EscrowedTombstone[]): Promise<void> {
    try {
      if (forgotten.length > 0) {
        writeSync(tombstones, forgotten.map(({ index, grade }) => `${index} ${grade}\n`).join(''))
        await datasync(tombstones)
      }
      const text = JSON.stringify({ size: head.size, root: encodeBase64(head.root), checkpoint: head.checkpoint })
      const bytes = Buffer.byteLength(text)
      if (bytes > SLOT_BYTES) throw new Error(`a head of ${bytes} bytes does not fit its escrow slot`)
      slot.fill(' ')
      slot.write(text)
      writeSync(heads, slot, 0, SLOT_BYTES, turn * SLOT_BYTES)
      turn = 1 - turn
      // Awaited in the thread pool: this is the one fsync that would keep requests waiting.
      await datasync(heads)
    } catch (error) {
      throw new UnavailableError(`${headFile}: the escrow can't be written: ${(error as Error).message}`, {
        cause: error,
      })
    }
  }
}

/** Nothing outlives the process: for tests, and for stores in memory. */
export function createMemoryEscrow(): Escrow {
  let highest: EscrowedHead | null = null
  const forgotten: EscrowedTombstone[] = []
  return {
    highest: () => highest,
    ownSize: () => highest?.size ?? null,
    tombstones: () => [...forgotten],
    async put(head, tombstones) {
      forgotten.push(...tombstones)
      if (head.size >= (highest?.size ?? 0)) highest = { ...head, root: encodeBase64(head.root) }
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

const newestSlot = (bytes: Buffer) => {
  const [first, second] = readSlots(bytes)
  return (first?.size ?? -1) >= (second?.size ?? -1) ? 0 : 1
}

/** A last line without its end was cut by a crash, before the erasure was acknowledged. */
function parseTombstones(text: string): EscrowedTombstone[] {
  return [...text.matchAll(/^(\d+) (unlink|erase)\n/gm)].map(([, index, grade]) => ({
    index: Number(index),
    grade: grade as Grade,
  }))
}

/** A new file's name is durable only once its folder is. */
function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r')
  fsyncSync(descriptor)
  closeSync(descriptor)
}
