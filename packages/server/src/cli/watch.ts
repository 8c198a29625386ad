/**
 * `avow watch URL --vkey KEY --state FILE`: holds on to a log's newest checkpoint and asks, again and again, whether the
 * log has only grown. Anyone can run it: it knows the public key and what is served, nothing else. Exit 1 means that the
 * log was forked or rolled back, and then both checkpoints are kept; 2 that it could not be asked; 3 that it is stale: an
 * older checkpoint is served than was seen, of a log that still has all that was seen. That is what a node or a cache that
 * lags behind looks like, so it ends the watch only if it lasts.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { type Checkpoint, openCheckpoint } from '../ledger/checkpoint.js'
import { parseVkey } from '../ledger/note.js'
import { VerificationError } from '../merkle/verification-error.js'
import { InputError } from '../problem.js'
import { replaceFile } from '../storage/durable-file.js'
import { NoLogError, type ReadFile, readCheckpoint, verifyGrowth } from '../verify/log.js'
import { openLogSource, realWeb, UnreachableError, type Web } from './log-source.js'

const INTERVAL_S = '60'

/** Rounds in a row that a log may be stale. One that shows an old checkpoint for ever hides all that came since. */
const STALE_ROUNDS = 10

interface Watching {
  readonly read: ReadFile
  readonly vkey: string
  /** The file that holds the newest checkpoint seen, as it was signed. */
  readonly state: string
}

interface Seen {
  readonly isStale: boolean
  /** For whoever runs the watch to read. */
  readonly line: string
}

/** Answers 1 on a fork or a rollback, 3 on a log that stays stale, 0 once all is well and `--once` was given; else goes on. */
export async function watch(args: string[], web: Web = realWeb(), print = console.log): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      vkey: { type: 'string' },
      state: { type: 'string' },
      interval: { type: 'string', default: INTERVAL_S },
      once: { type: 'boolean', default: false },
    },
  })
  const [url] = positionals
  if (!url) throw new InputError('URL', 'the address of the log, https://dash.example/_avow/log/shop')
  if (!values.vkey) throw new InputError('--vkey', 'the public key of the log, from somewhere else than the log')
  if (!values.state) throw new InputError('--state', 'a file for the newest checkpoint seen')
  if (!/^[1-9]\d{0,5}$/.test(values.interval)) throw new InputError('--interval', 'a number of seconds')
  const vkey = values.vkey
  parseVkey(vkey)
  const watching = { read: openLogSource(url, web), vkey, state: values.state }
  let staleRounds = 0
  for (;;) {
    try {
      const { isStale, line } = await look(watching)
      print(line)
      staleRounds = isStale ? staleRounds + 1 : 0
      if (isStale && (values.once || staleRounds === STALE_ROUNDS)) return 3
    } catch (error) {
      if (error instanceof VerificationError) {
        print(`false: ${error.message}`)
        return 1
      }
      // The network comes and goes: while it is away nothing is known to be false.
      if (values.once || !(error instanceof UnreachableError || error instanceof NoLogError)) throw error
      print(`could not ask, will again in ${values.interval} s: ${error.message}`)
    }
    if (values.once) return 0
    await web.wait(Number(values.interval) * 1000)
  }
}

/** Asks once. Throws `VerificationError` for a log that is not what it was. */
async function look({ read, vkey, state }: Watching): Promise<Seen> {
  const seen = readState(state, vkey)
  // What was received, so that it can be kept even when it isn't what it should be.
  let received: Uint8Array | null = null
  const remembering: ReadFile = async (file) => {
    const bytes = await read(file)
    if (file === 'checkpoint') received = bytes
    return bytes
  }
  let newest: Checkpoint & { note: string }
  try {
    newest = await readCheckpoint(remembering, { vkey, policy: null })
    if (seen) await requireGrown(read, seen, newest)
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error
    const kept = [seen && Buffer.from(seen.note), received].flatMap((note) => (note ? [keepEvidence(state, note)] : []))
    throw new VerificationError(`${error.message}. Kept as evidence: ${kept.join(' and ')}`)
  }
  const { origin, size, note } = newest
  if (seen && size < seen.size) {
    const line = `stale: ${origin} serves ${size} entries, older than the ${seen.size} that were seen; consistent with them`
    return { isStale: true, line }
  }
  if (note !== seen?.note) writeState(state, note)
  const line = !seen
    ? `${origin} has ${size} entries; from here on it is watched`
    : size === seen.size
      ? `${origin} still has ${size} entries`
      : `${origin} grew from ${seen.size} to ${size} entries`
  return { isStale: false, line }
}

async function requireGrown(read: ReadFile, seen: Checkpoint, newest: Checkpoint): Promise<void> {
  const isSmaller = newest.size < seen.size
  const rollback = `rollback: ${seen.origin} had ${seen.size} entries, and now serves`
  // Nothing is a prefix of everything: an empty log would prove nothing about what it had.
  if (isSmaller && newest.size === 0) throw new VerificationError(`${rollback} none`)
  try {
    // Proved by tiles of the larger one, which a log that has lost entries can't serve.
    await (isSmaller ? verifyGrowth(read, newest, seen) : verifyGrowth(read, seen, newest))
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error
    const what = isSmaller ? `${rollback} ${newest.size} without showing that it still has the others` : 'fork'
    throw new VerificationError(`${what}: ${error.message}`)
  }
}

function readState(file: string, vkey: string): (Checkpoint & { note: string }) | null {
  let note: string
  try {
    note = readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
  try {
    return { ...openCheckpoint(note, vkey), note }
  } catch (error) {
    // Not the log's fault: nothing can be said about it with another log's state, or a broken one.
    throw new InputError(file, `a checkpoint of this log, or no file yet (${(error as Error).message})`)
  }
}

/** Durable, and in one step: a machine that dies here must not forget what it saw. Two may watch with one state. */
const writeState = (file: string, note: string) => replaceFile(file, note, `${file}.${process.pid}.tmp`)

/** Beside the state, under a name of its own, so that no later evidence takes its place. */
function keepEvidence(state: string, note: Uint8Array): string {
  const file = `${state}.evidence-${createHash('sha256').update(note).digest('hex').slice(0, 16)}`
  replaceFile(file, note)
  return file
}
