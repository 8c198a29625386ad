/** Roots, against the ones made by Go and against the definition. */
import { expect, test } from 'vitest'
import { readerOf, slowRoot, testLeaves, toBase64, vectorLeaves, vectors } from './test-trees.js'
import { coveringNodes, EMPTY_ROOT, leafHash, nodeHash, rootOf } from './tree.js'

test('every root of the vectors is ours too', () => {
  const read = readerOf(vectorLeaves)
  for (const { size, root } of vectors.roots) expect(toBase64(rootOf(size, read)), `size ${size}`).toBe(root)
})

test('every tree to 300 leaves has the root that RFC 6962 defines', () => {
  const leaves = testLeaves(300)
  const read = readerOf(leaves)
  for (let size = 0; size <= 300; size++) expect(rootOf(size, read)).toEqual(slowRoot(leaves.slice(0, size)))
})

test('the empty tree is the hash of nothing', () => {
  expect(Buffer.from(EMPTY_ROOT).toString('hex')).toBe(
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  )
})

test('a leaf holding two hashes is not the node over them', () => {
  const [left, right] = testLeaves(2)
  expect(leafHash(Buffer.concat([left!, right!]))).not.toEqual(nodeHash(left!, right!))
})

test('a tree larger than 32 bits is covered without losing a leaf', () => {
  const size = 2 ** 40 + 2 ** 33 + 5
  expect(coveringNodes(0, size)).toEqual([
    { level: 40, index: 0 },
    { level: 33, index: 128 },
    { level: 2, index: 2 ** 38 + 2 ** 31 },
    { level: 0, index: 2 ** 40 + 2 ** 33 + 4 },
  ])
})
