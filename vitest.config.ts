import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const source = (path: string) => fileURLToPath(new URL(path, import.meta.url))

// The tests read every package's source, so that they need no build.
const alias = {
  '@avow/sdk/labels': source('packages/sdk/src/labels/index.ts'),
  '@avow/sdk/testing': source('packages/sdk/src/testing.ts'),
  '@avow/server/verify': source('packages/server/src/verify/bundle.ts'),
  '@avow/server': source('packages/server/src/index.ts'),
}

/** Time is never what a test is about: on a machine that is busy with others a slow one must not fail. */
const patience = { testTimeout: 60_000, hookTimeout: 60_000 }

// What drives the built server from outside: `npm run soak`, or the short form that `npm test` runs after the build.
const soak = {
  resolve: { alias },
  test: { name: 'soak', include: ['soak/**/*.test.ts'], testTimeout: 3_600_000, hookTimeout: 120_000 },
}

// What somebody installs, which is what was built: a step of `npm test` after the build.
const packages = { test: { ...patience, name: 'packages', include: ['tools/packages.test.ts'] } }

export default defineConfig({
  test: {
    projects: [
      {
        resolve: { alias },
        test: { ...patience, name: 'sdk', include: ['packages/sdk/src/**/*.test.{ts,tsx}'], environment: 'happy-dom' },
        oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
      },
      {
        resolve: { alias },
        test: {
          ...patience,
          name: 'node',
          include: ['packages/server/src/**/*.test.ts', 'demo/src/**/*.test.ts', 'tools/**/*.test.ts'],
          exclude: ['tools/packages.test.ts'],
        },
      },
      ...(process.env.AVOW_SOAK ? [soak] : []),
      ...(process.env.AVOW_PACKAGES ? [packages] : []),
    ],
  },
})
