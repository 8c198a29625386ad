/**
 * Watches every page of a story: what it requests, what it writes, and what the browser complains of. Whatever a story is
 * about, a violated Content-Security-Policy, an error on the console or an exception in the page fails it.
 */
import { type BrowserContext, expect } from '@playwright/test'

export interface Witness {
  /** Every address requested so far, in order. */
  readonly requests: string[]
  /** Complaints of the browser; each story ends with this empty. */
  readonly complaints: string[]
  /** Every cookie and storage key written so far, also those that are gone again, such as `local some_key`. */
  readonly written: Set<string>
  /** Watches a second browser too. */
  join(context: BrowserContext): Promise<void>
  /** Waits for so many complaints of this kind, and takes them out: they were expected. */
  expect(complaint: RegExp, count?: number): Promise<void>
}

/** A page tells its witness by the console: a binding would be lost where the page gives arrays a `toJSON`. */
const said = /^witness (violated|written): (.*)$/s

/** Runs in each page before anything of the page's own. */
function tell(): void {
  const { debug } = console
  document.addEventListener('securitypolicyviolation', (event) => {
    debug(`witness violated: ${event.effectiveDirective} by ${event.blockedURI} on ${event.documentURI}`)
  })
  const { setItem } = Storage.prototype
  Storage.prototype.setItem = function (key, value) {
    debug(`witness written: ${this === sessionStorage ? 'session' : 'local'} ${key}`)
    setItem.call(this, key, value)
  }
  const jar = Object.getOwnPropertyDescriptor(Document.prototype, 'cookie')
  Object.defineProperty(Document.prototype, 'cookie', {
    ...jar,
    set(this: Document, text: string) {
      debug(`witness written: cookie ${text.split('=')[0]}`)
      jar?.set?.call(this, text)
    },
  })
}

/** `isExpected`: of a complaint on the console, by its text and its address, whether it says what the story did itself. */
export function createWitness(isExpected: (text: string, url: string) => boolean = () => false): Witness {
  const requests: string[] = []
  const complaints: string[] = []
  const written = new Set<string>()
  const join = async (joining: BrowserContext) => {
    joining.on('request', (request) => requests.push(request.url()))
    joining.on('console', (message) => {
      const { url } = message.location()
      const [, what, which = ''] = said.exec(message.text()) ?? []
      if (what === 'violated') complaints.push(`policy violated: ${which}`)
      if (what === 'written') written.add(which)
      if (message.type() === 'error' && !isExpected(message.text(), url))
        complaints.push(`console: ${message.text()} (${url})`)
    })
    joining.on('weberror', (error) => complaints.push(`exception: ${error.error().message}`))
    // What the server sets, out of reach of scripts too.
    joining.on('response', async (response) => {
      const headers = await response.headersArray().catch(() => [])
      for (const { name, value } of headers) {
        if (name.toLowerCase() === 'set-cookie') written.add(`cookie ${value.split('=')[0]}`)
      }
    })
    await joining.addInitScript(tell)
  }
  return {
    requests,
    complaints,
    written,
    join,
    async expect(complaint, count = 1) {
      await expect.poll(() => complaints.filter((one) => complaint.test(one)).length).toBe(count)
      const rest = complaints.filter((one) => !complaint.test(one))
      complaints.splice(0, complaints.length, ...rest)
    },
  }
}

/** The end of each story. */
export function closeWitness(
  { complaints, written }: Witness,
  isDeclared: (kind: string, name: string) => boolean,
): void {
  expect(complaints, 'violations, console errors and exceptions').toEqual([])
  const undeclared = [...written].filter((key) => !isDeclared(...(key.split(' ', 2) as [string, string])))
  expect(undeclared, 'cookies and storage keys that the policy does not declare').toEqual([])
}
