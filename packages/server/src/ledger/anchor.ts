/**
 * Anchoring: once an hour the checkpoint goes to somebody outside, who thereby holds what the operator can't take back: a
 * command gets it on standard input, an address as the body of a POST. A failure is told and tried again the next hour;
 * no append ever waits for it.
 */
import type { ChildProcess, SpawnOptions } from 'node:child_process'

/** Hands a checkpoint on; rejects with why it couldn't. */
export type Send = (checkpoint: string) => Promise<void>

/** What sending needs of the world. */
export interface AnchorWorld {
  readonly spawn: (command: string, options: SpawnOptions) => ChildProcess
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>
  /** Aborts after so many milliseconds. */
  readonly timeout: (ms: number) => AbortSignal
}

export interface Anchoring {
  readonly log: string
  readonly send: Send
  /** The checkpoint that is served. */
  readonly checkpoint: () => Promise<string>
  /** Calls once, after so many milliseconds; what it answers takes that back. */
  readonly later: (ms: number, call: () => void) => () => void
  /** Told what an operator must know. */
  readonly warn: (line: string) => void
}

const HOUR_MS = 3_600_000
const TIMEOUT_MS = 60_000

/** `AVOW_ANCHOR`: an http(s) address, else a command for the shell. */
export function anchorTo(target: string, world: AnchorWorld): Send {
  return /^https?:\/\//.test(target) ? sendToUrl(target, world) : sendToCommand(target, world)
}

function sendToUrl(url: string, { fetch, timeout }: AnchorWorld): Send {
  return async (checkpoint) => {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'text/plain; charset=utf-8' },
      body: checkpoint,
      signal: timeout(TIMEOUT_MS),
    })
    await response.body?.cancel()
    if (!response.ok) throw new Error(`it answered ${response.status}`)
  }
}

function sendToCommand(command: string, { spawn, timeout }: AnchorWorld): Send {
  return (checkpoint) =>
    new Promise((resolve, reject) => {
      // Its output is the operator's to see, and would otherwise fill a pipe that nobody empties.
      const child = spawn(command, { shell: true, stdio: ['pipe', 'ignore', 'inherit'], signal: timeout(TIMEOUT_MS) })
      child.once('error', reject)
      child.once('close', (code, signal) => {
        if (code === 0) resolve()
        else reject(new Error(`it ended with ${code === null ? signal : `status ${code}`}`))
      })
      // A command that doesn't read what it is given says by its status whether it minds.
      child.stdin?.once('error', () => {})
      child.stdin?.end(checkpoint)
    })
}

/** Anchors now, and every hour from then on. `stop` resolves when the sending under way has ended. */
export function startAnchoring({ log, send, checkpoint, later, warn }: Anchoring): { stop(): Promise<void> } {
  let isStopped = false
  let cancel = () => {}
  let sending = Promise.resolve()
  const anchor = async () => {
    try {
      await send(await checkpoint())
    } catch (error) {
      warn(`ALARM ${log}: its checkpoint could not be anchored, the next try is in an hour: ${reasonOf(error)}`)
    }
    if (!isStopped) cancel = later(HOUR_MS, start)
  }
  const start = () => {
    sending = anchor()
  }
  start()
  return {
    async stop() {
      isStopped = true
      cancel()
      await sending
    },
  }
}

function reasonOf(error: unknown): string {
  const { message, cause } = error as Error
  return cause instanceof Error ? cause.message || message : message
}
