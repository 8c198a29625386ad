/** Consistency proofs, changed in every possible bit. In a file of its own, so that both can run at once. */
import { test } from 'vitest'
import { consistencyProof, verifyConsistency } from './proof.js'
import { EXHAUSTIVE_MS, mutations, refuses } from './test-mutations.js'
import { flipped, readerOf, testLeaves } from './test-trees.js'
import { rootOf } from './tree.js'

const leaves = testLeaves(33)
const read = readerOf(leaves)
const roots = Array.from({ length: 34 }, (_, size) => rootOf(size, read))

test('a consistency proof with any bit or length changed is refused, between every two trees to 33 leaves', {
  timeout: EXHAUSTIVE_MS,
}, () => {
  for (let to = 1; to <= 33; to++) {
    for (let from = 0; from <= to; from++) {
      const [fromRoot, toRoot, proof] = [roots[from]!, roots[to]!, consistencyProof(from, to, read)]
      for (const mutated of mutations(proof)) {
        refuses(
          () => verifyConsistency(from, to, fromRoot, toRoot, mutated),
          () => `proof from ${from} to ${to}`,
        )
      }
      for (let bit = 0; bit < 256; bit++) {
        refuses(
          () => verifyConsistency(from, to, flipped(fromRoot, bit), toRoot, proof),
          () => `old root of ${from}`,
        )
        // Every tree grew from the empty one, so its root says nothing of the other.
        if (from === 0) continue
        refuses(
          () => verifyConsistency(from, to, fromRoot, flipped(toRoot, bit), proof),
          () => `new root of ${to}`,
        )
      }
    }
  }
})
