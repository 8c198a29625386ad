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
  /** Resolves after so many milliseconds, for which the process stays alive. */
  readonly wait: (ms: number) => Promise<void>
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

/** Between two looks at whether it has ended. */
const LOOK_MS = 50

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

function sendToCommand(command: string, { spawn, timeout, wait }: AnchorWorld): Send {
  return async (checkpoint, stopping) => {
    const ending = AbortSignal.any([timeout(TIMEOUT_MS), stopping])
    ending.throwIfAborted()
    // A group of its own, since ending a shell leaves running what that has started. Its output is the operator's to see,
    // and would otherwise fill a pipe that nobody empties.
    const child = spawn(command, { shell: true, detached: true, stdio: ['pipe', 'ignore', 'inherit'] })
    let ended = Promise.resolve()
    const end = () => {
      ended = endGroup(child, wait)
    }
    ending.addEventListener('abort', end)
    const failure = await new Promise<Error | null>((resolve) => {
      child.once('error', resolve)
      child.once('close', (code, signal) => {
        resolve(code === 0 ? null : new Error(`it ended with ${code === null ? signal : `status ${code}`}`))
      })
      // A command that doesn't read what it is given says by its status whether it minds.
      child.stdin?.once('error', () => {})
      child.stdin?.end(checkpoint)
    })
    ending.removeEventListener('abort', end)
    // The shell may be gone before what it started.
    await ended
    if (ending.aborted) throw new Error('it took too long')
    if (failure) throw failure
  }
}

/**
 * Asks all of a command's group to end, and ends what doesn't. What ended and nobody waited for looks as if it were there, in
 * a container without an init: it costs the grace, no more.
 */
async function endGroup(child: ChildProcess, wait: AnchorWorld['wait']): Promise<void> {
  let isThere = signalGroup(child, 'SIGTERM')
  for (let waited = 0; isThere && waited < GRACE_MS; waited += LOOK_MS) {
    await wait(LOOK_MS)
    isThere = signalGroup(child, 0)
  }
  if (isThere) signalGroup(child, 'SIGKILL')
}

/** Answers whether anybody was there to be signalled; 0 only looks. */
function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals | 0): boolean {
  if (pid === undefined) return false
  try {
    process.kill(-pid, signal)
    return true
  } catch {
    // All have ended by themselves, which is what is wanted; or are another user's by now, who alone can end them.
    return false
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
