/** A web for the tests, in which one log is served, and nobody waits. */
import type { Web } from './log-source.js'

export interface TestWeb extends Web {
  /** What is asked for, in order. */
  readonly asked: string[]
  /** How long whoever asked was told to wait, in order. */
  readonly waited: number[]
  /** Answers in the log's place while it answers anything but null. */
  instead: (path: string) => Response | Error | null
  /** Called at each wait, so that a test can change the world; what it throws ends the waiting. */
  onWait: () => void
}

export const LOG_URL = 'https://dash.example/_avow/log/shop'

export function testWeb(files: () => ReadonlyMap<string, Uint8Array>, apiKey = ''): TestWeb {
  const web: TestWeb = {
    asked: [],
    waited: [],
    instead: () => null,
    onWait: () => {},
    apiKey,
    timeout: () => new AbortController().signal,
    async wait(ms) {
      web.waited.push(ms)
      web.onWait()
    },
    async fetch(url) {
      const path = url.slice(LOG_URL.length + 1)
      web.asked.push(path)
      const instead = web.instead(path)
      if (instead instanceof Error) throw instead
      if (instead) return instead
      const bytes = url.startsWith(`${LOG_URL}/`) ? files().get(path) : undefined
      return bytes ? new Response(new Uint8Array(bytes)) : new Response('no such tile', { status: 404 })
    },
  }
  return web
}
