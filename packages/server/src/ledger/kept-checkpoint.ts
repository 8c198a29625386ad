/** The newest cosigned checkpoint in a file of its own, beside the escrow: after a restart it can be served again. */
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { replaceFile, syncFolder } from '../storage/durable-file.js'
import { UnavailableError } from '../storage/storage.js'
import type { KeptCheckpoint } from './publication.js'

/** One file a node, `<log>.<node>.cosigned`. */
export function openKeptCheckpoint(folder: string, log: string, node: string): KeptCheckpoint {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const file = path.join(folder, `${log}.${node}.cosigned`)
  return {
    read() {
      try {
        return readFileSync(file, 'utf8')
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
        throw error
      }
    },
    write(note) {
      replaceFile(file, note)
    },
    forget() {
      try {
        rmSync(file, { force: true })
        syncFolder(folder)
      } catch (error) {
        throw new UnavailableError(`${file}: it can't be removed: ${(error as Error).message}`, { cause: error })
      }
    },
  }
}

/** Nothing outlives the process: for tests, and for stores in memory. */
export function createKeptCheckpoint(): KeptCheckpoint {
  let kept: string | null = null
  return {
    read: () => kept,
    write: (note) => {
      kept = note
    },
    forget: () => {
      kept = null
    },
  }
}
