/** Submissions that wait to be sent, one storage key each, so that two tabs never overwrite one another. */
import { attempt } from '../loader/attempt.js'
import type { Page } from '../loader/start.js'
import type { NoticeRef, Submission } from '../wire.js'

/**
 * A submission as it is kept: its age is told at each sending; a notice that nobody has seen yet is named then. With the
 * decision as the cookie has it, which the loader of the next page takes from here where the jar has lost it; null where it was an account's that
 * has signed out since.
 */
export interface Kept extends Omit<Submission, 'ageMs' | 'notice'> {
  readonly notice: NoticeRef | null
  readonly decision: string | null
}

export interface Pending {
  add(kept: Kept): void
  list(): Kept[]
  remove(id: string): void
}

/** A visitor decides a handful of times; more means that the server has been down for days. */
const pendingLimit = 20

/**
 * JSON as everybody else reads it, also in a page whose libraries give arrays a `toJSON` of their own (Prototype.js does): a
 * list that travels as text would be refused, and the choice be lost.
 */
export function toJson(value: unknown): string {
  const arrays = Array.prototype as { toJSON?: unknown }
  const { toJSON } = arrays
  delete arrays.toJSON
  const text = JSON.stringify(value)
  if (toJSON) arrays.toJSON = toJSON
  return text
}

/** Those of this site, where the loader looks for them. One for all files of a page: each has a memory beside storage. */
export const openPending = (page: Pick<Page, 'prefix'> & { pending?: Pending }): Pending => {
  page.pending ??= createPending(
    attempt(() => localStorage, true),
    `${page.prefix}0:`,
  )
  return page.pending
}

/** `prefix` stands before the id in each key, and before nothing else. */
export function createPending(storage: Storage | null, prefix: string): Pending {
  const memory = new Map<string, string>()
  const keys = () =>
    // UUIDv7 sorts by time.
    [...new Set([...memory.keys(), ...(attempt(() => Object.keys(storage!), true) ?? [])])]
      .filter((key) => key.startsWith(prefix))
      .sort()
  const remove = (key: string) => {
    memory.delete(key)
    attempt(() => storage!.removeItem(key), true)
  }
  return {
    add(kept) {
      const key = prefix + kept.id
      const text = toJson(kept)
      // Full or forbidden: this page still sends, only the retry on the next page is lost.
      memory.set(key, text)
      attempt(() => storage!.setItem(key, text), true)
      for (const old of keys().slice(0, -pendingLimit)) remove(old)
    },
    list: () =>
      keys().flatMap(
        (key) => attempt(() => [JSON.parse(memory.get(key) ?? storage!.getItem(key)!) as Kept], true) ?? [],
      ),
    remove: (id) => remove(prefix + id),
  }
}
