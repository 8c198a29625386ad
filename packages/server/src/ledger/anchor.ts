/**
 * Anchoring: once an hour the checkpoint goes to somebody outside, who thereby holds what the operator can't take back: a
 * command gets it on standard input, an address as the body of a POST. A failure is told and tried again the next hour;
 * no append ever waits for it.
 */
import type { ChildProcess, SpawnOptions } from 'node:child_process'

/** Hands a checkpoint on; rejects with why it couldn't, once nothing of it is left running, soon after `stopping` aborts. */
export type Send = (checkpoint: string, stopping: AbortSignal) => Promise<void>

/** What sending needs of the world. */
export interface AnchorWorld {
  readonly spawn: (command: string, options: SpawnOptions) => ChildProcess
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>
  /** Aborts after so many milliseconds. */
  readonly timeout: (ms: number) => AbortSignal
  /** Calls once, after so many milliseconds; what it answers takes that back. */
  readonly later: (ms: number, call: () => void) => () => void
}

export interface Anchoring {
  readonly log: string
  readonly send: Send
  /** The checkpoint that is served. */
  readonly checkpoint: () => Promise<string>
  readonly later: AnchorWorld['later']
  /** Told what an operator must know. */
  readonly warn: (line: string) => void
}

const HOUR_MS = 3_600_000
const TIMEOUT_MS = 60_000

/** Between asking a command to end and ending it: enough to take its lock files along. */
const GRACE_MS = 1000

/** `AVOW_ANCHOR`: an http(s) address, else a command for the shell. */
export function anchorTo(target: string, world: AnchorWorld): Send {
  return /^https?:\/\//.test(target) ? sendToUrl(target, world) : sendToCommand(target, world)
}

function sendToUrl(url: string, { fetch, timeout }: AnchorWorld): Send {
  return async (checkpoint, stopping) => {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'text/plain; charset=utf-8' },
      body: checkpoint,
      signal: AbortSignal.any([timeout(TIMEOUT_MS), stopping]),
    })
    await response.body?.cancel()
    if (!response.ok) throw new Error(`it answered ${response.status}`)
  }
}

function sendToCommand(command: string, { spawn, timeout, later }: AnchorWorld): Send {
  return async (checkpoint, stopping) => {
    const ending = AbortSignal.any([timeout(TIMEOUT_MS), stopping])
    ending.throwIfAborted()
    await new Promise<void>((resolve, reject) => {
      // A group of its own, since ending a shell leaves running what that has started. Its output is the operator's to see,
      // and would otherwise fill a pipe that nobody empties.
      const child = spawn(command, { shell: true, detached: true, stdio: ['pipe', 'ignore', 'inherit'] })
      let cancel = () => {}
      const end = () => {
        signalGroup(child, 'SIGTERM')
        cancel = later(GRACE_MS, () => signalGroup(child, 'SIGKILL'))
      }
      const settle = (error: Error | null) => {
        ending.removeEventListener('abort', end)
        cancel()
        if (error) reject(error)
        else resolve()
      }
      ending.addEventListener('abort', end)
      child.once('error', settle)
      child.once('close', (code, signal) => {
        if (ending.aborted) settle(new Error('it took too long'))
        else settle(code === 0 ? null : new Error(`it ended with ${code === null ? signal : `status ${code}`}`))
      })
      // A command that doesn't read what it is given says by its status whether it minds.
      child.stdin?.once('error', () => {})
      child.stdin?.end(checkpoint)
    })
  }
}

function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, signal)
  } catch (error) {
    // It has ended by itself, which is all that is wanted.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** Anchors now, and every hour from then on. `stop` gives up the sending under way, and resolves when nothing of it is left. */
export function startAnchoring({ log, send, checkpoint, later, warn }: Anchoring): { stop(): Promise<void> } {
  const stopping = new AbortController()
  let cancel = () => {}
  let sending = Promise.resolve()
  const anchor = async () => {
    try {
      await send(await checkpoint(), stopping.signal)
    } catch (error) {
      // Given up, it is sent at the next start.
      if (stopping.signal.aborted) return
      warn(`ALARM ${log}: its checkpoint could not be anchored, the next try is in an hour: ${reasonOf(error)}`)
    }
    if (!stopping.signal.aborted) cancel = later(HOUR_MS, start)
  }
  const start = () => {
    sending = anchor()
  }
  start()
  return {
    async stop() {
      stopping.abort()
      cancel()
      await sending
    },
  }
}

function reasonOf(error: unknown): string {
  const { message, cause } = error as Error
  return cause instanceof Error ? cause.message || message : message
}
