/**
 * `test` for every browser story: a demo of the worker's own, and a witness in each page. Whatever a story is about, the
 * witness fails it for a violated Content-Security-Policy, an error on the console or an exception in the page.
 */
import { test as base } from '@playwright/test'
import { createDataFolder, type Demo, deleteDataFolder, startDemo } from './demo.js'

export { expect } from '@playwright/test'

interface Witness {
  /** Every address requested so far, in order. */
  readonly requests: string[]
  /** Complaints of the browser; each story ends with this empty. */
  readonly complaints: string[]
}

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
    async ({ context }, use) => {
      const requests: string[] = []
      const complaints: string[] = []
      context.on('request', (request) => requests.push(request.url()))
      context.on('console', (message) => {
        if (message.type() === 'error') complaints.push(`console: ${message.text()} (${message.location().url})`)
      })
      context.on('weberror', (error) => complaints.push(`exception: ${error.error().message}`))
      await context.exposeBinding('reportViolation', (_source, violated: string) => {
        complaints.push(`policy violated: ${violated}`)
      })
      await context.addInitScript(() => {
        document.addEventListener('securitypolicyviolation', (event) => {
          const { reportViolation } = globalThis as unknown as { reportViolation: (violated: string) => void }
          reportViolation(`${event.effectiveDirective} by ${event.blockedURI} on ${event.documentURI}`)
        })
      })
      await use({ requests, complaints })
      base.expect(complaints, 'violations, console errors and exceptions').toEqual([])
    },
    { auto: true },
  ],
})
