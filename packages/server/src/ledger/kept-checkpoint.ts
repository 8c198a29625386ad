/** The newest cosigned checkpoint in a file of its own, beside the escrow: after a restart it can be served again. */
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs'
import path from 'node:path'
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
      const fresh = `${file}.tmp`
      const descriptor = openSync(fresh, 'w', 0o600)
      writeSync(descriptor, note)
      fsyncSync(descriptor)
      closeSync(descriptor)
      renameSync(fresh, file)
      syncFolder(folder)
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

function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r')
  fsyncSync(descriptor)
  closeSync(descriptor)
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
