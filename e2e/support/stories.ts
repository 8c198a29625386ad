/**
 * `test` for the browser stories of the demo: a demo of the worker's own, and a witness in each page, which also fails a
 * story for a cookie or storage key that the demo's policy does not declare.
 */
import { test as base } from '@playwright/test'
import { createDataFolder, type Demo, deleteDataFolder, startDemo } from './demo.js'
import { declaredBy } from './visitor.js'
import { closeWitness, createWitness, type Witness } from './witness.js'

export { expect } from '@playwright/test'

export const test = base.extend<{ witness: Witness }, { demo: Demo }>({
  demo: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the fixtures it must hand in from this pattern.
    async ({}, use) => {
      const data = await createDataFolder()
      const demo = await startDemo(data)
      await use(demo)
      await demo.end('SIGTERM')
      await deleteDataFolder(data)
    },
    { scope: 'worker' },
  ],

  baseURL: async ({ demo }, use) => use(demo.url),

  witness: [
    async ({ context, demo }, use) => {
      const witness = createWitness()
      await witness.join(context)
      await use(witness)
      closeWitness(witness, await declaredBy(demo, () => true))
    },
    { auto: true },
  ],
})
