/** Inclusion proofs, changed in every possible bit. In a file of its own, so that both can run at once. */
import { test } from 'vitest'
import { inclusionProof, verifyInclusion } from './proof.js'
import { EXHAUSTIVE_MS, mutations, refuses } from './test-mutations.js'
import { flipped, readerOf, testLeaves } from './test-trees.js'
import { rootOf } from './tree.js'

const leaves = testLeaves(33)
const read = readerOf(leaves)
const roots = Array.from({ length: 34 }, (_, size) => rootOf(size, read))

test('an inclusion proof with any bit or length changed is refused, in every tree to 33 leaves', {
  timeout: EXHAUSTIVE_MS,
}, () => {
  for (let size = 1; size <= 33; size++) {
    for (let index = 0; index < size; index++) {
      const [leaf, root, proof] = [leaves[index]!, roots[size]!, inclusionProof(index, size, read)]
      for (const mutated of mutations(proof)) {
        refuses(
          () => verifyInclusion(leaf, index, size, root, mutated),
          () => `proof of ${index} in ${size}`,
        )
      }
      for (let bit = 0; bit < 256; bit++) {
        refuses(
          () => verifyInclusion(flipped(leaf, bit), index, size, root, proof),
          () => `leaf ${index} in ${size}`,
        )
        refuses(
          () => verifyInclusion(leaf, index, size, flipped(root, bit), proof),
          () => `root of ${size}`,
        )
      }
      for (let other = 0; other < size; other++) {
        if (other === index) continue
        refuses(
          () => verifyInclusion(leaf, other, size, root, proof),
          () => `${index} as ${other} in ${size}`,
        )
      }
    }
  }
})
