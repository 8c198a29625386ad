/** Proofs out of stored tiles: names the nodes a proof needs, loads their tiles, and has `merkle/proof` fold them. */
import { HASH_SIZE } from '../merkle/hash.js'
import { consistencyNodes, consistencyProof, inclusionNodes, inclusionProof } from '../merkle/proof.js'
import { nodeReader, TILE_WIDTH } from '../merkle/tile.js'
import { coveringNodes, type NodeId, type ReadNode, rootOf } from '../merkle/tree.js'
import type { TileRow } from '../storage/storage.js'

const TILE_HEIGHT = 8

/** Full tiles kept in memory, 8 KiB each: the newest half a million entries prove without touching the disk. */
const TILE_CACHE_LIMIT = 2048

/** Reads a tile's hashes so far; null where there is none. */
export type LoadTile = (level: number, n: number) => Promise<Uint8Array | null>

class NotInMemory extends Error {}

export class Auditor {
  readonly #load: LoadTile
  readonly #tiles = new Map<string, Uint8Array>()
  /** Reads what is in memory alone. It remembers nodes between the tiles' levels: the newest proofs share most of theirs. */
  readonly #memory: ReadNode = nodeReader((level, n) => {
    const tile = this.#tiles.get(`${level}/${n}`)
    if (!tile) throw new NotInMemory()
    return tile
  })

  constructor(load: LoadTile) {
    this.#load = load
  }

  /** Takes tiles that were just written, so that fresh entries are proved without reading them back. */
  remember(tiles: readonly TileRow[]): void {
    for (const { level, n, hashes } of tiles) {
      const key = `${level}/${n}`
      // Taken out and put back, so that the first key is always the one unused for longest.
      this.#tiles.delete(key)
      this.#tiles.set(key, hashes)
      if (this.#tiles.size > TILE_CACHE_LIMIT) this.#tiles.delete(this.#tiles.keys().next().value!)
    }
  }

  /** At least `width` hashes of a tile, of which whoever asks takes what a size has; null where there are fewer. */
  async tile(level: number, n: number, width: number): Promise<Uint8Array | null> {
    const known = this.#tiles.get(`${level}/${n}`)
    if (known && known.length >= width * HASH_SIZE) return known
    const hashes = await this.#load(level, n)
    if (!hashes || hashes.length < width * HASH_SIZE) return null
    // A partial one may have grown while it was read: only what was written here is known to be the newest.
    if (hashes.length === TILE_WIDTH * HASH_SIZE) this.remember([{ level, n, hashes }])
    return hashes
  }

  /** Inclusion proofs of these entries in the tree of `size`. */
  async inclusion(indexes: readonly number[], size: number): Promise<Uint8Array[][]> {
    return this.#reading(
      () => indexes.flatMap((index) => inclusionNodes(index, size).flat()),
      (read) => indexes.map((index) => inclusionProof(index, size, read)),
    )
  }

  /** Proof that the tree of size `from` is a prefix of the tree of size `to`. */
  async consistency(from: number, to: number): Promise<Uint8Array[]> {
    return this.#reading(
      () => consistencyNodes(from, to).flat(),
      (read) => consistencyProof(from, to, read),
    )
  }

  /** The root of the tree when it had this size. */
  async root(size: number): Promise<Uint8Array> {
    return this.#reading(
      () => coveringNodes(0, size),
      (read) => rootOf(size, read),
    )
  }

  /** From memory where all that is needed is there, as for a fresh entry; else from tiles that are loaded first. */
  async #reading<T>(nodes: () => NodeId[], fold: (read: ReadNode) => T): Promise<T> {
    try {
      return fold(this.#memory)
    } catch {
      // Not in memory, or a tile that is narrower there; if it is missing altogether, the long way says so.
      return fold(await this.#reader(nodes()))
    }
  }

  /** Loads the tiles these nodes lie in, then reads from memory. */
  async #reader(nodes: readonly NodeId[]): Promise<ReadNode> {
    const widths = new Map<string, { level: number; n: number; width: number }>()
    for (const node of nodes) {
      const level = Math.floor(node.level / TILE_HEIGHT)
      // The hashes of its tile's own level that a node is folded from: `[first, end)`.
      const spread = 2 ** (node.level % TILE_HEIGHT)
      const end = (node.index + 1) * spread
      const n = Math.ceil(end / TILE_WIDTH) - 1
      const key = `${level}/${n}`
      widths.set(key, { level, n, width: Math.max(widths.get(key)?.width ?? 0, end - n * TILE_WIDTH) })
    }
    // Asked for at once: one wait for the database instead of one for each.
    const loaded = [...widths].map(async ([key, { level, n, width }]) => {
      const hashes = await this.tile(level, n, width)
      if (!hashes) throw new Error(`tile ${key} is missing, or has under ${width} hashes`)
      return [key, hashes] as const
    })
    const tiles = new Map(await Promise.all(loaded))
    return nodeReader((level, n) => tiles.get(`${level}/${n}`)!)
  }
}
