/** Inclusion and consistency proofs: true ones pass, anything else is refused. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { consistencyProof, inclusionNodes, inclusionProof, verifyConsistency, verifyInclusion } from './proof.js'
import { lengthMutations, refuses } from './test-mutations.js'
import {
  flipped,
  fromBase64,
  readerOf,
  slowConsistency,
  slowInclusion,
  testLeaves,
  toBase64,
  vectorLeaves,
  vectors,
} from './test-trees.js'
import { EMPTY_ROOT, nodeHash, rootOf } from './tree.js'

const leaves = testLeaves(300)
const read = readerOf(leaves)
const roots = Array.from({ length: 301 }, (_, size) => rootOf(size, read))

test('every proof of the vectors is ours too, and verifies', () => {
  const readVector = readerOf(vectorLeaves)
  const root = (size: number) => rootOf(size, readVector)
  for (const { index, size, proof } of vectors.inclusion) {
    expect(inclusionProof(index, size, readVector).map(toBase64), `${index} of ${size}`).toEqual(proof)
    verifyInclusion(vectorLeaves[index]!, index, size, root(size), proof.map(fromBase64))
  }
  for (const { from, to, proof } of vectors.consistency) {
    expect(consistencyProof(from, to, readVector).map(toBase64), `${from} to ${to}`).toEqual(proof)
    verifyConsistency(from, to, root(from), root(to), proof.map(fromBase64))
  }
})

test('every proof of every tree to 300 leaves verifies', () => {
  for (let size = 1; size <= 300; size++) {
    for (let index = 0; index < size; index++) {
      verifyInclusion(leaves[index]!, index, size, roots[size]!, inclusionProof(index, size, read))
    }
    for (let from = 0; from <= size; from++) {
      verifyConsistency(from, size, roots[from]!, roots[size]!, consistencyProof(from, size, read))
    }
  }
})

test('every proof of every tree to 40 leaves is the one that RFC 6962 defines', () => {
  for (let size = 1; size <= 40; size++) {
    const some = leaves.slice(0, size)
    for (let index = 0; index < size; index++) {
      expect(inclusionProof(index, size, read)).toEqual(slowInclusion(index, some))
      expect(consistencyProof(index + 1, size, read)).toEqual(slowConsistency(index + 1, some))
    }
  }
})

test('a proof with a bit or length changed is refused, in trees to 300 leaves', () => {
  const places = fc.tuple(fc.integer({ min: 34, max: 300 }), fc.nat(), fc.nat(), fc.nat())
  fc.assert(
    fc.property(places, ([size, a, b, c]) => {
      const index = a % size
      const inclusion = inclusionProof(index, size, read)
      const flippedInclusion = inclusion.map((hash, at) =>
        at === b % inclusion.length ? flipped(hash, c % 256) : hash,
      )
      for (const proof of [flippedInclusion, ...lengthMutations(inclusion)]) {
        refuses(
          () => verifyInclusion(leaves[index]!, index, size, roots[size]!, proof),
          () => `${index} in ${size}`,
        )
      }
      const from = index + 1
      const consistency = consistencyProof(from, size, read)
      const flippedConsistency = consistency.map((hash, at) =>
        at === b % consistency.length ? flipped(hash, c % 256) : hash,
      )
      const changed = [...(consistency.length > 0 ? [flippedConsistency] : []), ...lengthMutations(consistency)]
      for (const proof of changed) {
        refuses(
          () => verifyConsistency(from, size, roots[from]!, roots[size]!, proof),
          () => `${from} to ${size}`,
        )
      }
    }),
    { numRuns: 500 },
  )
})

test('no leaf is at or past the size', () => {
  const proof = inclusionProof(4, 5, read)
  for (const index of [5, 6, 2 ** 53, -1, 0.5, Number.NaN]) {
    refuses(
      () => verifyInclusion(leaves[4]!, index, 5, roots[5]!, proof),
      () => `index ${index}`,
    )
  }
  for (const size of [0, 4, -5, 5.5, Number.POSITIVE_INFINITY]) {
    refuses(
      () => verifyInclusion(leaves[4]!, 4, size, roots[5]!, proof),
      () => `size ${size}`,
    )
  }
  expect(() => inclusionProof(5, 5, read)).toThrow('no leaf 5')
  expect(() => consistencyProof(6, 5, read)).toThrow('no tree of size 5')
})

test('a node does not pass for a leaf', () => {
  const node = nodeHash(leaves[0]!, leaves[1]!)
  refuses(
    () => verifyInclusion(node, 0, 4, roots[4]!, inclusionProof(0, 4, read).slice(1)),
    () => 'a node',
  )
})

test('the empty log is a prefix of every log, and only the empty log is', () => {
  verifyConsistency(0, 7, EMPTY_ROOT, roots[7]!, [])
  refuses(
    () => verifyConsistency(0, 7, roots[1]!, roots[7]!, []),
    () => 'another empty root',
  )
  refuses(
    () => verifyConsistency(7, 3, roots[7]!, roots[3]!, []),
    () => 'a log that shrank',
  )
  refuses(
    () => verifyConsistency(-1, 3, roots[1]!, roots[3]!, []),
    () => 'a size below zero',
  )
  refuses(
    () => verifyConsistency(3, 3, roots[3]!, rootOf(3, readerOf(testLeaves(3, 'other '))), []),
    () => 'a fork',
  )
})

test('a proof names its nodes, so that they can be loaded first', () => {
  const asked: string[] = []
  inclusionProof(100, 300, (level, index) => {
    asked.push(`${level}/${index}`)
    return read(level, index)
  })
  const named = inclusionNodes(100, 300).flat()
  expect(named.map(({ level, index }) => `${level}/${index}`)).toEqual(asked)
})
