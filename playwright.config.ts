/** The browser stories: the built demo, in the Chromium that is there, two at a time. */
import { defineConfig } from '@playwright/test'
import type { EngineOptions } from './e2e/engines/engine-test.js'
import { browserArgs } from './e2e/support/ground.js'
import type { WorldOptions } from './e2e/support/ground-test.js'
import { findChromium } from './tools/chromium.mjs'
import { findEngines } from './tools/engines.mjs'

/** The demo's own stories; all others are told on pages of their own, see `e2e/support/world-test.ts`. */
const demoStories = [
  'audit',
  'change-of-mind',
  'crash',
  'evidence-page',
  'first-visit',
  'gallery',
  'panels',
  'returning-visit',
  'strict-csp',
].map((name) => `**/${name}.spec.ts`)

const engineStories = '**/engines/*.spec.ts'

export default defineConfig<WorldOptions, EngineOptions>({
  testDir: 'e2e',
  outputDir: 'test-results',
  // The browser itself now and then hangs on a busy machine, as in closing a context. The second try is for that, and is
  // recorded; `tools/test.mjs` names who needed one, and fails for more than a few.
  retries: 1,
  workers: 2,
  timeout: 60_000,
  expect: { timeout: 10_000 },
  reporter: 'list',
  projects: [
    { name: 'stories', testIgnore: engineStories },
    // Once more where the host's libraries redefine what scripts rely on.
    { name: 'hostile', testIgnore: [...demoStories, engineStories], use: { hostile: true } },
    // In each engine of this machine, by drivers of their own.
    ...findEngines().map((engine) => ({ name: engine.name, testMatch: engineStories, use: { engine } })),
  ],
  forbidOnly: Boolean(process.env.CI),
  use: {
    browserName: 'chromium',
    // The dashboard and the banner speak the browser's language; the stories are told in English.
    locale: 'en-GB',
    launchOptions: {
      executablePath: findChromium(),
      // Chromium's sandbox refuses root, which is what a container runs as.
      args: ['--no-sandbox', '--disable-background-networking', ...browserArgs()],
    },
    // Recording every first try costs time and is itself a cause of hangs.
    trace: 'on-first-retry',
  },
})
