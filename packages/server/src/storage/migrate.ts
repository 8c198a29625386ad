/** Brings a SQLite file to the newest schema: numbered steps, forward only, one transaction. */
import type Database from 'better-sqlite3'

/** Runs the steps that `file` has not seen. Throws, having changed nothing, if it was written by a newer release. */
export function migrate(db: Database.Database, file: string, steps: readonly string[]): void {
  db.transaction(() => {
    const done = db.pragma('user_version', { simple: true }) as number
    if (done > steps.length) {
      throw new Error(
        `${file} was written by a newer release (schema ${done}, this one knows ${steps.length}): start that release`,
      )
    }
    for (const step of steps.slice(done)) db.exec(step)
    if (done < steps.length) db.pragma(`user_version = ${steps.length}`)
  }).immediate()
}
