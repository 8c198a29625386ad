/** Small files that outlast a power cut: whole, under a name that their folder has. Keys and checkpoints are kept like this. */
import { closeSync, existsSync, fstatSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import path from 'node:path'

/** A disk that fills up in the middle takes a part and says so by its count alone. `position`: null for where it stands. */
export function writeWhole(descriptor: number, bytes: Uint8Array, position: number | null): void {
  const written = writeSync(descriptor, bytes, 0, bytes.length, position)
  if (written < bytes.length) throw new Error(`only ${written} of ${bytes.length} bytes were written`)
}

/** Makes a file for its owner alone. Throws if one is there already; if it can't be written, nothing of it is left. */
export function createFile(file: string, content: string | Uint8Array): void {
  const descriptor = openSync(file, 'wx', 0o600)
  try {
    writeWhole(descriptor, Buffer.from(content), null)
    fsyncSync(descriptor)
    syncFolder(path.dirname(file))
  } catch (error) {
    // Half a key is still a secret.
    overwrite(descriptor)
    rmSync(file)
    throw error
  } finally {
    closeSync(descriptor)
  }
}

/**
 * Puts `content` in the place of what `file` holds, in one step: whoever reads it finds the one or the other. One writer at a
 * time; what a crash left of the draft is destroyed by the next.
 */
export function replaceFile(file: string, content: string | Uint8Array, draft = `${file}.new`): void {
  destroyFile(draft)
  createFile(draft, content)
  try {
    renameSync(draft, file)
  } catch (error) {
    destroyFile(draft)
    throw error
  }
  syncFolder(path.dirname(file))
}

/** Overwrites a file and removes it, if it is there. */
export function destroyFile(file: string): void {
  if (!existsSync(file)) return
  const descriptor = openSync(file, 'r+')
  try {
    overwrite(descriptor)
  } finally {
    closeSync(descriptor)
  }
  rmSync(file)
}

/** Leaves zeros where there was something, also where the file has no name any more. */
export function overwrite(descriptor: number): void {
  writeWhole(descriptor, Buffer.alloc(fstatSync(descriptor).size), 0)
  fsyncSync(descriptor)
}

/** A new file's name is durable only once its folder is. */
export function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}
