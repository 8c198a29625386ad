/** `test` for whatever is told on pages and servers of its own, in whatever browser: a ground for the worker, a world for the story. */
import { test as base } from '@playwright/test'
import { type Ground, openGround } from './ground.js'
import { World } from './world.js'

export interface WorldOptions {
  /** Whether the host's pages redefine what scripts rely on. */
  hostile: boolean
}

export const test = base.extend<WorldOptions & { world: World }, { ground: Ground }>({
  ground: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the fixtures it must hand in from this pattern.
    async ({}, use) => {
      const ground = await openGround()
      await use(ground)
      await ground.close()
    },
    { scope: 'worker' },
  ],

  hostile: [false, { option: true }],

  world: async ({ ground, hostile }, use) => {
    const world = new World(ground, hostile)
    await use(world)
    await world.close()
  },
})
