/** A batch, or rows, as one buffer, so that handing it to another thread moves it and copies nothing: hundreds of small arrays would each be cloned. */
import type { Batch, DocumentRow, Grade, StoredRow, TileRow } from './storage.js'

interface Shape {
  readonly head: { readonly size: number; readonly checkpoint: string; readonly recordedAt: number }
  /** For each entry, how many sealed parts it has. */
  readonly sealed: readonly number[]
  /** For each vault row, whether it is about somebody. */
  readonly subjects: readonly boolean[]
  /** Which vault rows are an account's: few, or none. */
  readonly accounts: readonly number[]
  readonly erased: readonly (Grade | null)[]
  /** Each facet once, and for each vault row which it is; -1 for none. */
  readonly facets: readonly string[]
  readonly facet: readonly number[]
  /** For each vault row, how long before the head. */
  readonly ageMs: readonly number[]
  readonly tiles: readonly Pick<TileRow, 'level' | 'n'>[]
  readonly documents: readonly DocumentRow[]
}

export interface PackedBatch {
  readonly shape: string
  /** Sizes of the byte arrays, in order. */
  readonly sizes: Uint32Array<ArrayBuffer>
  readonly bytes: Uint8Array<ArrayBuffer>
}

export function packBatch({ head, entries, vault, tiles, documents }: Batch): PackedBatch {
  const arrays: Uint8Array[] = [head.root]
  for (const { entry, sealed } of entries) arrays.push(entry, ...sealed)
  const accounts: number[] = []
  const facets = [...new Set(vault.map(({ facet }) => facet))].filter((facet) => facet !== null)
  const numbers = new Map<string | null, number>(facets.map((facet, i) => [facet, i]))
  vault.forEach(({ key, fingerprint, subject, account, secrets }, i) => {
    arrays.push(key, fingerprint, secrets)
    if (subject) arrays.push(subject)
    if (!account) return
    arrays.push(account)
    accounts.push(i)
  })
  for (const { hashes } of tiles) arrays.push(hashes)
  const shape: Shape = {
    head: { size: head.size, checkpoint: head.checkpoint, recordedAt: head.recordedAt },
    sealed: entries.map(({ sealed }) => sealed.length),
    subjects: vault.map(({ subject }) => subject !== null),
    accounts,
    erased: vault.map(({ erased }) => erased),
    facets,
    facet: vault.map(({ facet }) => numbers.get(facet) ?? -1),
    ageMs: vault.map(({ recordedAt }) => head.recordedAt - recordedAt),
    tiles: tiles.map(({ level, n }) => ({ level, n })),
    documents,
  }
  const sizes = Uint32Array.from(arrays, (array) => array.length)
  const bytes = new Uint8Array(sizes.reduce((sum, size) => sum + size, 0))
  let at = 0
  for (const array of arrays) {
    bytes.set(array, at)
    at += array.length
  }
  return { shape: JSON.stringify(shape), sizes, bytes }
}

/** The arrays of the answer are views into the one buffer. */
export function unpackBatch({ shape: text, sizes, bytes }: PackedBatch): Batch {
  const { head, sealed, subjects, accounts, erased, facets, facet, ageMs, tiles, documents }: Shape = JSON.parse(text)
  const signedIn = new Set(accounts)
  let [next, at] = [0, 0]
  const take = () => {
    const start = at
    at += sizes[next++]!
    return bytes.subarray(start, at)
  }
  return {
    head: { ...head, root: take() },
    entries: sealed.map((count) => ({ entry: take(), sealed: Array.from({ length: count }, take) })),
    vault: subjects.map((isAboutSomebody, i) => ({
      key: take(),
      fingerprint: take(),
      secrets: take(),
      subject: isAboutSomebody ? take() : null,
      account: signedIn.has(i) ? take() : null,
      erased: erased[i]!,
      facet: facets[facet[i]!] ?? null,
      recordedAt: head.recordedAt - ageMs[i]!,
    })),
    tiles: tiles.map((tile) => ({ ...tile, hashes: take() })),
    documents,
  }
}

export interface PackedRows {
  /** For each row its index, how many sealed parts it has, and the sizes of its byte arrays; -1 for secrets that are not there. */
  readonly numbers: Float64Array<ArrayBuffer>
  readonly bytes: Uint8Array<ArrayBuffer>
}

export function packRows(rows: readonly StoredRow[]): PackedRows {
  const numbers = rows.flatMap(({ index, row: { entry, sealed }, secrets }) => [
    ...[index, sealed.length, entry.length],
    ...sealed.map(({ length }) => length),
    secrets?.length ?? -1,
  ])
  const arrays = rows.flatMap(({ row: { entry, sealed }, secrets }) => [
    entry,
    ...sealed,
    ...(secrets ? [secrets] : []),
  ])
  const bytes = new Uint8Array(arrays.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const array of arrays) {
    bytes.set(array, at)
    at += array.length
  }
  return { numbers: Float64Array.from(numbers), bytes }
}

/** The arrays of the answer are views into the one buffer. */
export function unpackRows({ numbers, bytes }: PackedRows): StoredRow[] {
  const rows: StoredRow[] = []
  let [next, at] = [0, 0]
  const number = () => numbers[next++]!
  const take = (size: number) => {
    at += size
    return bytes.subarray(at - size, at)
  }
  while (next < numbers.length) {
    const [index, count] = [number(), number()]
    const entry = take(number())
    const sealed = Array.from({ length: count }, () => take(number()))
    const size = number()
    rows.push({ index, row: { entry, sealed }, secrets: size < 0 ? null : take(size) })
  }
  return rows
}
