/**
 * `test` for every browser story: a demo of the worker's own, and a witness in each page. Whatever a story is about, the
 * witness fails it for a violated Content-Security-Policy, an error on the console, an exception in the page, or a
 * cookie or storage key that the site's policy does not declare.
 */
import { type BrowserContext, test as base } from '@playwright/test'
import { createDataFolder, type Demo, deleteDataFolder, startDemo } from './demo.js'
import { declaredBy } from './visitor.js'

export { expect } from '@playwright/test'

interface Witness {
  /** Every address requested so far, in order. */
  readonly requests: string[]
  /** Complaints of the browser; each story ends with this empty. */
  readonly complaints: string[]
  /** Every cookie and storage key written so far, also those that are gone again, such as `local some_key`. */
  readonly written: Set<string>
  /** Watches a second browser too. */
  join(context: BrowserContext): Promise<void>
}

/** What a page tells its witness. */
interface Told {
  reportViolation(violated: string): void
  reportWritten(written: string): void
}

/** Runs in each page before anything of the page's own. */
function tell(): void {
  const told = globalThis as unknown as Told
  document.addEventListener('securitypolicyviolation', (event) => {
    told.reportViolation(`${event.effectiveDirective} by ${event.blockedURI} on ${event.documentURI}`)
  })
  const { setItem } = Storage.prototype
  Storage.prototype.setItem = function (key, value) {
    told.reportWritten(`${this === sessionStorage ? 'session' : 'local'} ${key}`)
    setItem.call(this, key, value)
  }
  const jar = Object.getOwnPropertyDescriptor(Document.prototype, 'cookie')
  Object.defineProperty(Document.prototype, 'cookie', {
    ...jar,
    set(this: Document, text: string) {
      told.reportWritten(`cookie ${text.split('=')[0]}`)
      jar?.set?.call(this, text)
    },
  })
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
    async ({ context, demo }, use) => {
      const requests: string[] = []
      const complaints: string[] = []
      const written = new Set<string>()
      const join = async (joining: BrowserContext) => {
        joining.on('request', (request) => requests.push(request.url()))
        joining.on('console', (message) => {
          if (message.type() === 'error') complaints.push(`console: ${message.text()} (${message.location().url})`)
        })
        joining.on('weberror', (error) => complaints.push(`exception: ${error.error().message}`))
        // What the server sets, out of reach of scripts too.
        joining.on('response', async (response) => {
          const headers = await response.headersArray().catch(() => [])
          for (const { name, value } of headers) {
            if (name.toLowerCase() === 'set-cookie') written.add(`cookie ${value.split('=')[0]}`)
          }
        })
        await joining.exposeBinding('reportViolation', (_source, violated: string) => {
          complaints.push(`policy violated: ${violated}`)
        })
        await joining.exposeBinding('reportWritten', (_source, key: string) => void written.add(key))
        await joining.addInitScript(tell)
      }
      await join(context)
      await use({ requests, complaints, written, join })
      base.expect(complaints, 'violations, console errors and exceptions').toEqual([])

      const isDeclared = await declaredBy(demo, () => true)
      const undeclared = [...written].filter((key) => !isDeclared(...(key.split(' ', 2) as [string, string])))
      base.expect(undeclared, 'cookies and storage keys that the policy does not declare').toEqual([])
    },
    { auto: true },
  ],
})
