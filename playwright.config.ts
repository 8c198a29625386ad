/** The browser stories: the built demo, in the Chromium that is there, two at a time and never a second try. */
import { defineConfig } from '@playwright/test'
import { browserArgs } from './e2e/support/ground.js'
import type { WorldOptions } from './e2e/support/world-test.js'
import { findChromium } from './tools/chromium.mjs'

/** The demo's own stories; all others are told on pages of their own, see `e2e/support/world-test.ts`. */
const demoStories = ['audit', 'change-of-mind', 'crash', 'first-visit', 'panels', 'returning-visit', 'strict-csp'].map(
  (name) => `**/${name}.spec.ts`,
)

export default defineConfig<WorldOptions>({
  testDir: 'e2e',
  outputDir: 'test-results',
  // A story that needs a second try hides the fault that the first one found.
  retries: 0,
  workers: 2,
  timeout: 60_000,
  expect: { timeout: 10_000 },
  reporter: 'list',
  projects: [
    { name: 'stories' },
    // Once more where the host's libraries redefine what scripts rely on.
    { name: 'hostile', testIgnore: demoStories, use: { hostile: true } },
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
    trace: 'retain-on-failure',
  },
})
