/** Where a log is read from, by whoever checks it: a folder with its files, or the address it is served at. */
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { InputError } from '../problem.js'
import type { ReadFile } from '../verify/log.js'

/** Neither true nor false: the log could not be asked. */
export class UnreachableError extends Error {
  override name = 'UnreachableError'
}

/** What reading from a server needs of the world. */
export interface Web {
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>
  readonly wait: (ms: number) => Promise<void>
  /** Aborts after so many milliseconds. */
  readonly timeout: (ms: number) => AbortSignal
  /** A key with `audit:read`, for a log that is not public; empty for none. */
  readonly apiKey: string
}

export const realWeb = (): Web => ({
  fetch: (url, init) => fetch(url, init),
  wait: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  timeout: AbortSignal.timeout,
  apiKey: process.env.AVOW_API_KEY ?? '',
})

/** A full entry bundle of the longest entries. Whoever is checked must not fill the checker's memory. */
const FILE_LIMIT = 256 * (2 + 65_535)

const TIMEOUT_MS = 30_000

/** How often a server may say "later" to one request, and how long it may ask to wait each time. */
const TRIES = 10
const WAIT_LIMIT_MS = 120_000
const WAIT_MS = 1000

export const isUrl = (text: string): boolean => /^https?:\/\//.test(text)

/** Reads the files of the log at this URL or in this folder. */
export function openLogSource(where: string, web: Web): ReadFile {
  return isUrl(where) ? webSource(where, web) : folderSource(where)
}

function folderSource(folder: string): ReadFile {
  return async (file) => {
    try {
      return await readFile(path.join(folder, file))
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      // A folder may stand where a file should, `000.p` beside `000`: neither is a file of the log.
      if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EISDIR') return null
      throw error
    }
  }
}

function webSource(url: string, web: Web): ReadFile {
  const base = url.replace(/\/(checkpoint)?$/, '')
  if (!URL.canParse(base)) throw new InputError('URL', 'the address of a log, https://dash.example/_avow/log/shop')
  return async (file) => {
    const address = `${base}/${file}`
    for (let tries = 1; ; tries++) {
      const response = await ask(address, web)
      if (response.ok) return readBody(response, address)
      await response.body?.cancel()
      if (response.status === 404 || response.status === 410) return null
      // A whole log is many files, so being told to slow down is to be expected.
      const isLater = response.status === 429 || response.status === 503
      if (!isLater || tries === TRIES) throw new UnreachableError(`${address} answered ${response.status}`)
      await web.wait(waitOf(response))
    }
  }
}

async function ask(address: string, { fetch, timeout, apiKey }: Web): Promise<Response> {
  try {
    const headers: Record<string, string> = apiKey ? { authorization: `Bearer ${apiKey}` } : {}
    return await fetch(address, { headers, signal: timeout(TIMEOUT_MS) })
  } catch (error) {
    throw new UnreachableError(`${address} can't be read: ${reasonOf(error)}`)
  }
}

async function readBody(response: Response, address: string): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let size = 0
  try {
    for await (const part of response.body ?? []) {
      parts.push(part)
      size += part.length
      if (size > FILE_LIMIT) throw new Error('it does not end')
    }
  } catch (error) {
    throw new UnreachableError(`${address} can't be read: ${reasonOf(error)}`)
  }
  return Buffer.concat(parts, size)
}

function waitOf(response: Response): number {
  const seconds = response.headers.get('retry-after') ?? ''
  return /^\d{1,6}$/.test(seconds) ? Math.min(Number(seconds) * 1000, WAIT_LIMIT_MS) : WAIT_MS
}

/** What `fetch` says is "fetch failed"; why is in its cause. */
export function reasonOf(error: unknown): string {
  const { message, cause } = error as Error
  return cause instanceof Error ? cause.message || (cause as NodeJS.ErrnoException).code || message : message
}
