/** Inclusion and consistency proofs (RFC 6962 §2.1): which nodes they fold, making them, and checking them (RFC 9162 §2.1.3, §2.1.4). */
import { HASH_SIZE } from './hash.js'
import { coveringNodes, EMPTY_ROOT, foldNodes, type NodeId, nodeHash, type ReadNode } from './tree.js'
import { VerificationError } from './verification-error.js'

/** The nodes folded into each hash of an inclusion proof, so that a caller can load their tiles first. */
export function inclusionNodes(index: number, size: number): NodeId[][] {
  if (!isSize(size) || !isSize(index) || index >= size) throw new Error(`no leaf ${index} in a tree of size ${size}`)
  const siblings: NodeId[][] = []
  for (let start = 0, end = size; end - start > 1; ) {
    const middle = start + splitOf(end - start)
    if (index < middle) {
      siblings.push(coveringNodes(middle, end))
      end = middle
    } else {
      siblings.push(coveringNodes(start, middle))
      start = middle
    }
  }
  // Found from the root down, told from the leaf up.
  return siblings.reverse()
}

/** The nodes folded into each hash of a consistency proof. */
export function consistencyNodes(from: number, to: number): NodeId[][] {
  if (!isSize(to) || !isSize(from) || from > to) throw new Error(`no tree of size ${to} grew from size ${from}`)
  if (from === 0 || from === to) return []
  const nodes: NodeId[][] = []
  let [start, end] = [0, to]
  while (end !== from) {
    const middle = start + splitOf(end - start)
    if (from <= middle) {
      nodes.push(coveringNodes(middle, end))
      end = middle
    } else {
      nodes.push(coveringNodes(start, middle))
      start = middle
    }
  }
  // Where the old tree is itself the left subtree, whoever checks has its root already.
  if (start > 0) nodes.push(coveringNodes(start, end))
  return nodes.reverse()
}

export function inclusionProof(index: number, size: number, read: ReadNode): Uint8Array[] {
  return inclusionNodes(index, size).map((nodes) => foldNodes(nodes, read))
}

export function consistencyProof(from: number, to: number, read: ReadNode): Uint8Array[] {
  return consistencyNodes(from, to).map((nodes) => foldNodes(nodes, read))
}

/** Checks that a leaf, given by its hash, is at `index` of the tree with this size and root. */
export function verifyInclusion(
  leaf: Uint8Array,
  index: number,
  size: number,
  root: Uint8Array,
  proof: readonly Uint8Array[],
): void {
  requireHashes(leaf, root, ...proof)
  if (!isSize(size) || !isSize(index)) throw new VerificationError('index and size are not whole numbers')
  if (index >= size) throw new VerificationError(`index ${index} is not in a log of size ${size}`)
  let hash = leaf
  let [node, last] = [index, size - 1]
  for (const sibling of proof) {
    if (last === 0) throw new VerificationError(`inclusion proof of index ${index} is too long`)
    if (isOdd(node) || node === last) {
      hash = nodeHash(sibling, hash)
      // At the right edge a level without a sibling has no hash in the proof.
      ;[node, last] = pastLeftTurns(node, last)
    } else {
      hash = nodeHash(hash, sibling)
    }
    ;[node, last] = [half(node), half(last)]
  }
  if (last !== 0) throw new VerificationError(`inclusion proof of index ${index} is too short`)
  if (!isEqual(hash, root)) throw new VerificationError(`entry is not at index ${index} of the log of size ${size}`)
}

/** Checks that the tree of size `from` is a prefix of the tree of size `to`. */
export function verifyConsistency(
  from: number,
  to: number,
  fromRoot: Uint8Array,
  toRoot: Uint8Array,
  proof: readonly Uint8Array[],
): void {
  requireHashes(fromRoot, toRoot, ...proof)
  if (!isSize(from) || !isSize(to)) throw new VerificationError('sizes are not whole numbers')
  if (from > to) throw new VerificationError(`a log of size ${from} can't be a prefix of one of size ${to}`)
  if (from === 0 || from === to) {
    if (proof.length > 0) throw new VerificationError(`consistency proof from ${from} to ${to} is too long`)
    const expected = from === to ? toRoot : EMPTY_ROOT
    if (!isEqual(fromRoot, expected)) throw new VerificationError(`two different logs of size ${from}`)
    return
  }
  let [node, last] = [from - 1, to - 1]
  while (isOdd(node)) [node, last] = [half(node), half(last)]
  // A perfect old tree is itself the first node, so the proof leaves it out.
  const hashes = node === 0 ? [fromRoot, ...proof] : proof
  const first = hashes[0]
  if (!first) throw new VerificationError(`consistency proof from ${from} to ${to} is too short`)
  let [oldHash, newHash] = [first, first]
  for (const sibling of hashes.slice(1)) {
    if (last === 0) throw new VerificationError(`consistency proof from ${from} to ${to} is too long`)
    if (isOdd(node) || node === last) {
      oldHash = nodeHash(sibling, oldHash)
      newHash = nodeHash(sibling, newHash)
      ;[node, last] = pastLeftTurns(node, last)
    } else {
      newHash = nodeHash(newHash, sibling)
    }
    ;[node, last] = [half(node), half(last)]
  }
  if (last !== 0) throw new VerificationError(`consistency proof from ${from} to ${to} is too short`)
  if (!isEqual(oldHash, fromRoot) || !isEqual(newHash, toRoot)) {
    throw new VerificationError(`the log of size ${from} is not a prefix of the log of size ${to}`)
  }
}

/** The largest power of two below `size`. */
function splitOf(size: number): number {
  let width = 1
  while (width * 2 < size) width *= 2
  return width
}

function pastLeftTurns(node: number, last: number): [number, number] {
  let [at, end] = [node, last]
  while (at !== 0 && !isOdd(at)) [at, end] = [half(at), half(end)]
  return [at, end]
}

const isOdd = (n: number) => n % 2 === 1
const half = (n: number) => Math.floor(n / 2)
const isSize = (n: number) => Number.isSafeInteger(n) && n >= 0

function requireHashes(...hashes: Uint8Array[]): void {
  if (hashes.some((hash) => hash.length !== HASH_SIZE)) throw new VerificationError(`a hash is not ${HASH_SIZE} bytes`)
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at])
}
