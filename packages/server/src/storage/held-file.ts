/** A file that one process holds at a time. The system lets go of it when that process ends, however it ends. */
import Database from 'better-sqlite3'
import { LockedError } from './storage.js'

/**
 * Answers what lets go of the file. It is locked as SQLite locks its databases, between machines too where the file system
 * can. Throws `LockedError` saying `cure` if somebody else holds it.
 */
export function holdFile(file: string, cure: string): () => void {
  const held = new Database(file, { timeout: 0 })
  try {
    // A transaction that writes nothing: the file stays empty, and needs no journal.
    held.exec('BEGIN EXCLUSIVE')
  } catch (error) {
    held.close()
    if (error instanceof Database.SqliteError && error.code.startsWith('SQLITE_BUSY'))
      throw new LockedError(`${file} is held by another process: ${cure}`)
    throw new Error(`${file} can't be locked: ${(error as Error).message}`, { cause: error })
  }
  return () => held.close()
}
