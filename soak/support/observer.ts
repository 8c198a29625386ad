/**
 * Somebody outside who keeps every checkpoint they were ever shown and redoes the whole tree from the entries, tiles
 * included, with none of the product's own code: another root for a size once seen is a fork.
 */
import { createHash } from 'node:crypto'
import { type Head, openCheckpoint, readEntries } from '../../e2e/support/public-log.js'

const TILE_WIDTH = 256

const sha256 = (prefix: number, ...parts: readonly Uint8Array[]) => {
  const hash = createHash('sha256').update(Buffer.of(prefix))
  for (const part of parts) hash.update(part)
  return hash.digest()
}

/** The tree's right edge: perfect subtrees, largest first (RFC 6962 §2.1 read from the left). */
class Edge {
  #size = 0
  readonly #nodes: Buffer[] = []

  add(leaf: Buffer): void {
    this.#nodes.push(leaf)
    this.#size++
    for (let size = this.#size; size % 2 === 0; size /= 2) {
      const right = this.#nodes.pop()!
      this.#nodes.push(sha256(0x01, this.#nodes.pop()!, right))
    }
  }

  root(): string {
    const [last, ...rest] = [...this.#nodes].reverse()
    return rest.reduce((right, left) => sha256(0x01, left, right), last!).toString('base64')
  }
}

export interface Verified {
  readonly head: Head
  readonly entries: readonly Buffer[]
}

async function get(url: string): Promise<Buffer> {
  const answer = await fetch(url)
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`)
  return Buffer.from(await answer.arrayBuffer())
}

const tileName = (n: number) =>
  [
    ...String(n)
      .padStart(Math.ceil(String(n).length / 3) * 3, '0')
      .matchAll(/\d{3}/g),
  ]
    .map(([group], i, all) => (i < all.length - 1 ? `x${group}` : group))
    .join('/')

export class Observer {
  readonly vkey: string
  readonly #roots = new Map<number, string>()

  constructor(vkey: string) {
    this.vkey = vkey
  }

  /** How many checkpoints, by their size. */
  get seen(): number {
    return this.#roots.size
  }

  /** Takes a checkpoint; throws if its signature is false, or one of its size had another root. */
  see(checkpoint: string): Head {
    const head = openCheckpoint(checkpoint, this.vkey)
    const before = this.#roots.get(head.size)
    if (before !== undefined && before !== head.root) throw new Error(`two roots were signed for size ${head.size}`)
    this.#roots.set(head.size, head.root)
    return head
  }

  /** Takes the checkpoint of a receipt, which has to cover the record. */
  seeReceipt({ index, receipt }: { readonly index: number; readonly receipt: string }): void {
    const head = this.see(receipt.slice(receipt.indexOf('\n\n') + 2))
    if (head.size <= index) throw new Error(`the receipt of ${index} has a checkpoint of size ${head.size}`)
  }

  /** Reads the whole log; throws unless entries, tiles, the checkpoint now and all those seen before are one history. */
  async verify(logUrl: string): Promise<Verified> {
    const head = this.see((await get(`${logUrl}/checkpoint`)).toString('utf8'))
    const highest = Math.max(...this.#roots.keys())
    if (highest > head.size) throw new Error(`a checkpoint of size ${highest} was given out, the log has ${head.size}`)
    const entries = await readEntries(logUrl, head.size)
    if (entries.length !== head.size) throw new Error(`${entries.length} entries, the checkpoint says ${head.size}`)
    const edge = new Edge()
    const leaves: Buffer[] = []
    for (const [i, entry] of entries.entries()) {
      const leaf = sha256(0x00, entry)
      leaves.push(leaf)
      edge.add(leaf)
      const signed = this.#roots.get(i + 1)
      if (signed !== undefined && signed !== edge.root())
        throw new Error(`the first ${i + 1} entries have the root ${edge.root()}, a checkpoint signed ${signed}`)
    }
    await verifyTiles(logUrl, leaves)
    return { head, entries }
  }
}

/** Each tile of each level, byte for byte (c2sp.org/tlog-tiles). */
async function verifyTiles(logUrl: string, leaves: readonly Buffer[]): Promise<void> {
  let hashes = leaves
  for (let level = 0; hashes.length > 0; level++) {
    const above: Buffer[] = []
    for (let n = 0; n * TILE_WIDTH < hashes.length; n++) {
      const tile = hashes.slice(n * TILE_WIDTH, (n + 1) * TILE_WIDTH)
      const partial = tile.length < TILE_WIDTH ? `.p/${tile.length}` : ''
      const served = await get(`${logUrl}/tile/${level}/${tileName(n)}${partial}`)
      if (!served.equals(Buffer.concat(tile)))
        throw new Error(`tile ${level}/${n}${partial} is not what its entries say`)
      if (tile.length === TILE_WIDTH) {
        let row = tile
        while (row.length > 1) {
          row = row.flatMap((left, i) => (i % 2 === 0 ? [sha256(0x01, left, row[i + 1]!)] : []))
        }
        above.push(row[0]!)
      }
    }
    hashes = above
  }
}
