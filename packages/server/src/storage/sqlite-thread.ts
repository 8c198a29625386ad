/**
 * SQLite in a thread of its own, so that a commit's fsync never keeps a request waiting. Two ends of one port: `serve`
 * beside the database, `connect` beside the ledger, which sees a `Storage` like any other.
 */
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads'
import { type PackedBatch, type PackedRows, packBatch, packRows, unpackBatch, unpackRows } from './packed.js'
import { openSqliteStorage, type SecretsRow, type SqliteLog } from './sqlite.js'
import {
  type ActiveDay,
  type ApiKeyRow,
  type Batch,
  type Dated,
  type FacetQuery,
  type Forgetting,
  LockedError,
  type LogStore,
  LostVaultError,
  type OpenOptions,
  OriginError,
  type Rotation,
  type Standing,
  type Storage,
  type StoreNames,
  UnavailableError,
} from './storage.js'

/** What may be called from the other side, by name. */
type Calls = Record<string, (...args: never[]) => unknown>

interface Call {
  readonly id: number
  readonly name: string
  readonly args: readonly unknown[]
}

interface Answer {
  readonly id: number
  readonly value?: unknown
  /** Name and message: an error's class does not survive the way, and callers tell errors by it. */
  readonly error?: { readonly name: string; readonly message: string }
}

const ERRORS = [UnavailableError, LockedError, LostVaultError, OriginError]

/** The error that was thrown at the other end. Not constructed: its message is whole already. */
function revived({ name, message }: NonNullable<Answer['error']>): Error {
  const error = Object.assign(new Error(message), { name })
  const found = ERRORS.find((one) => one.name === name)
  return found ? Object.setPrototypeOf(error, found.prototype) : error
}

/** Answers calls for the stores in `folder` until the other side closes the port. */
export function serve(port: MessagePort, folder: string, options: OpenOptions = {}): void {
  const opened = openSqliteStorage(folder, options)
  const logs: SqliteLog[] = []
  const storage = () => opened
  const log = (handle: number) => logs[handle]!
  const calls: Calls = {
    ready: async () => void (await storage()),
    logs: async () => (await storage()).logs(),
    async openLog(site: string, origin: string | null) {
      const found = await (await storage()).openLog(site, origin)
      return { origin: found.origin, handle: logs.push(found.log as SqliteLog) - 1 }
    },
    vaultValue: async (name: string, value: Uint8Array) => (await storage()).vaultValue(name, () => value),
    replaceVaultValues: async (values: ReadonlyMap<string, Uint8Array>) => (await storage()).replaceVaultValues(values),
    names: async () => (await storage()).names,
    vaultValues: async () => (await storage()).vaultValues(),
    currentKey: async () => (await storage()).currentKey(),
    useKey: async (id: string, before: string | null) => (await storage()).useKey(id, before),
    addKey: async (row: ApiKeyRow) => (await storage()).keys.add(row),
    findKeyRow: async (hash: Uint8Array) => (await storage()).keys.find(hash),
    getKey: async (id: string) => (await storage()).keys.get(id),
    listKeys: async () => (await storage()).keys.list(),
    rotateKey: async (id: string, rotation: Rotation) => (await storage()).keys.rotate(id, rotation),
    revokeKey: async (id: string, at: number) => (await storage()).keys.revoke(id, at),
    usedKey: async (id: string, day: string) => (await storage()).keys.used(id, day),
    close: async () => (await storage()).close(),
    standing(handle: number, keys: Uint8Array, keySize: number, assumedSize: number) {
      const each = Array.from({ length: keys.length / keySize }, (_, i) =>
        keys.subarray(i * keySize, (i + 1) * keySize),
      )
      return log(handle).standing(each, assumedSize)
    },
    commit(handle: number, packed: PackedBatch) {
      const batch = unpackBatch(packed)
      log(handle).commit(batch)
      return log(handle).besides(batch)
    },
    head: (handle: number) => log(handle).head(),
    rootAt: (handle: number, size: number) => log(handle).rootAt(size),
    reconcile: (handle: number) => log(handle).reconcile(),
    entries: (handle: number, start: number, end: number) => log(handle).entries(start, end),
    tile: (handle: number, level: number, n: number) => log(handle).tile(level, n),
    documents: (handle: number) => log(handle).documents(),
    vaultRow: (handle: number, index: number) => log(handle).vaultRow(index),
    vaultSize: (handle: number) => log(handle).vaultSize(),
    forget: (handle: number, changes: readonly Forgetting[]) => log(handle).forget(changes),
    secrets: (handle: number, start: number, end: number) => log(handle).secrets(start, end),
    replaceSecrets: (handle: number, rows: readonly SecretsRow[]) => log(handle).replaceSecrets(rows),
    findKey: (handle: number, key: Uint8Array) => log(handle).findKey(key),
    findSubject: (handle: number, subject: Uint8Array) => log(handle).findSubject(subject),
    findAccount: (handle: number, account: Uint8Array) => log(handle).findAccount(account),
    recent: (handle: number, before: number, limit: number) => log(handle).recent(before, limit),
    rows: async (handle: number, indexes: readonly number[]) => packRows(await log(handle).rows(indexes)),
    facets: (handle: number) => log(handle).facets(),
    findFacets: (handle: number, query: FacetQuery) => log(handle).findFacets(query),
    firstAt: (handle: number, recordedAt: number) => log(handle).firstAt(recordedAt),
    countErased: (handle: number, from: number, below: number) => log(handle).countErased(from, below),
    counts: (handle: number, from: number, below: number) => log(handle).counts(from, below),
    undated: (handle: number) => log(handle).undated(),
    date: (handle: number, rows: readonly Dated[]) => log(handle).date(rows),
    keepActive: (handle: number, days: readonly ActiveDay[]) => log(handle).keepActive(days),
    idle: (handle: number, until: number, limit: number) => log(handle).idle(until, limit),
    dropActive: (handle: number, days: readonly ActiveDay[]) => log(handle).dropActive(days),
    keepServed: (handle: number, day: number) => log(handle).keepServed(day),
    served: (handle: number) => log(handle).served(),
    forgetServed: (handle: number) => log(handle).forgetServed(),
  }
  // Opening may fail before anybody asks; `ready` hands the reason over.
  opened.catch(() => {})
  const answerOne = async ({ id, name, args }: Call): Promise<Answer> => {
    try {
      return { id, value: await calls[name]!(...(args as never[])) }
    } catch (error) {
      const { name, message } = error as Error
      return { id, error: { name, message } }
    }
  }
  let answered: Promise<void> = Promise.resolve()
  port.on('message', (asked: readonly Call[]) => {
    // Begun in the order they were asked, all at once, so that erasures share a scrub; answered in that order too.
    const answers = Promise.all(asked.map(answerOne))
    answered = answered.then(async () => port.postMessage(await answers))
  })
}

/** The stores at the other end of the port. `lost` fulfils with the reason if that end dies. */
export async function connect(port: MessagePort, lost: Promise<Error>): Promise<Storage> {
  const waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>()
  let count = 0
  let gone: Error | null = null
  port.on('message', (answers: readonly Answer[]) => {
    for (const { id, value, error } of answers) {
      const call = waiting.get(id)
      waiting.delete(id)
      if (error) call?.reject(revived(error))
      else call?.resolve(value as never)
    }
  })
  void lost.then((error) => {
    gone = new UnavailableError(`the storage thread is gone: ${error.message}`)
    for (const { reject } of waiting.values()) reject(gone)
    waiting.clear()
  })
  // What is asked in one go goes over as one message, which costs more than most questions. At once, not at the end of the
  // turn: what is still to be done in it is done while the thread works.
  let asked: Call[] = []
  let moving: ArrayBuffer[] = []
  const send = () => {
    port.postMessage(asked, moving)
    asked = []
    moving = []
  }
  const call = <T>(name: string, args: readonly unknown[], moved: readonly ArrayBuffer[] = []): Promise<T> =>
    new Promise((resolve, reject) => {
      if (gone) return reject(gone)
      const id = count++
      waiting.set(id, { resolve, reject })
      if (asked.length === 0) queueMicrotask(send)
      asked.push({ id, name, args })
      moving.push(...moved)
    })
  try {
    await call('ready', [])
  } catch (error) {
    // Else the thread would keep the process that was refused from ending.
    port.close()
    throw error
  }
  return {
    names: await call<StoreNames>('names', []),
    keys: {
      add: (row) => call('addKey', [row]),
      find: (hash) => call('findKeyRow', [hash]),
      get: (id) => call('getKey', [id]),
      list: () => call('listKeys', []),
      rotate: (id, rotation) => call('rotateKey', [id, rotation]),
      revoke: (id, at) => call('revokeKey', [id, at]),
      used: (id, day) => call('usedKey', [id, day]),
    },
    logs: () => call('logs', []),
    async openLog(site, origin) {
      const found = await call<{ origin: string; handle: number }>('openLog', [site, origin])
      return { origin: found.origin, log: new DistantLog(found.handle, call) }
    },
    vaultValue: (name, create) => call('vaultValue', [name, create()]),
    replaceVaultValues: (values) => call('replaceVaultValues', [values]),
    vaultValues: () => call('vaultValues', []),
    currentKey: () => call('currentKey', []),
    useKey: (id, before) => call('useKey', [id, before]),
    async close() {
      await call('close', [])
      // From this side, which ends the thread: it would be heard of before the answer if the other one closed it.
      port.close()
    },
  }
}

const nameOf = (blind: Uint8Array) => Buffer.from(blind.buffer, blind.byteOffset, blind.length).toString('latin1')

type CallOver = <T>(name: string, args: readonly unknown[], moved?: readonly ArrayBuffer[]) => Promise<T>

class DistantLog implements LogStore {
  readonly isShared = false
  readonly #handle: number
  readonly #call: CallOver
  /** Appends take turns: between its two halves nobody else's may write. */
  #turn: Promise<unknown> = Promise.resolve()
  /**
   * By subject, where the entries are of those in the last batch: whoever appends asks this next, and would wait until the
   * following batch is written.
   */
  #recent = new Map<string, readonly number[]>()

  constructor(handle: number, call: CallOver) {
    this.#handle = handle
    this.#call = call
  }

  #ask<T>(name: string, ...args: unknown[]): Promise<T> {
    return this.#call(name, [this.#handle, ...args])
  }

  append(keys: readonly Uint8Array[], assumedSize: number, build: (standing: Standing) => Batch | null) {
    const appended = this.#turn.then(() => this.#append(keys, assumedSize, build))
    this.#turn = appended.catch(() => {})
    return appended
  }

  async #append(keys: readonly Uint8Array[], assumedSize: number, build: (standing: Standing) => Batch | null) {
    const keySize = keys[0]?.length ?? 1
    const joined = new Uint8Array(keys.length * keySize)
    for (const [i, key] of keys.entries()) joined.set(key, i * keySize)
    const batch = build(await this.#ask<Standing>('standing', joined, keySize, assumedSize))
    if (!batch) return null
    const packed = packBatch(batch)
    const moved = [packed.sizes.buffer, packed.bytes.buffer]
    const besides = await this.#call<(readonly number[])[]>('commit', [this.#handle, packed], moved)
    this.#recent = new Map(batch.vault.flatMap(({ subject }, i) => (subject ? [[nameOf(subject), besides[i]!]] : [])))
    return batch
  }

  async findSubject(subject: Uint8Array): Promise<number[]> {
    const recent = this.#recent.get(nameOf(subject))
    return recent ? [...recent] : this.#ask('findSubject', subject)
  }

  async forget(changes: readonly Forgetting[]) {
    await this.#ask('forget', changes)
    this.#recent.clear()
  }

  async rewrap(start: number, end: number, convert: (index: number, secrets: Uint8Array) => Uint8Array | null) {
    const rows = await this.#ask<SecretsRow[]>('secrets', start, end)
    const converted = rows.map(({ index, secrets }) => ({ index, secrets: convert(index, secrets) }))
    await this.#ask(
      'replaceSecrets',
      converted.filter(({ secrets }) => secrets !== null),
    )
  }

  head: LogStore['head'] = () => this.#ask('head')
  rootAt: LogStore['rootAt'] = (size) => this.#ask('rootAt', size)
  reconcile: LogStore['reconcile'] = () => this.#ask('reconcile')
  entries: LogStore['entries'] = (start, end) => this.#ask('entries', start, end)
  tile: LogStore['tile'] = (level, n) => this.#ask('tile', level, n)
  documents: LogStore['documents'] = () => this.#ask('documents')
  vaultRow: LogStore['vaultRow'] = (index) => this.#ask('vaultRow', index)
  vaultSize: LogStore['vaultSize'] = () => this.#ask('vaultSize')
  findKey: LogStore['findKey'] = (key) => this.#ask('findKey', key)
  findAccount: LogStore['findAccount'] = (account) => this.#ask('findAccount', account)
  recent: LogStore['recent'] = (before, limit) => this.#ask('recent', before, limit)
  rows: LogStore['rows'] = async (indexes) => unpackRows(await this.#ask<PackedRows>('rows', indexes))
  facets: LogStore['facets'] = () => this.#ask('facets')
  findFacets: LogStore['findFacets'] = (query) => this.#ask('findFacets', query)
  firstAt: LogStore['firstAt'] = (recordedAt) => this.#ask('firstAt', recordedAt)
  countErased: LogStore['countErased'] = (from, below) => this.#ask('countErased', from, below)
  counts: LogStore['counts'] = (from, below) => this.#ask('counts', from, below)
  undated: LogStore['undated'] = () => this.#ask('undated')
  date: LogStore['date'] = (rows) => this.#ask('date', rows)
  keepActive: LogStore['keepActive'] = (days) => this.#ask('keepActive', days)
  idle: LogStore['idle'] = (until, limit) => this.#ask('idle', until, limit)
  dropActive: LogStore['dropActive'] = (days) => this.#ask('dropActive', days)
  keepServed: LogStore['keepServed'] = (day) => this.#ask('keepServed', day)
  served: LogStore['served'] = () => this.#ask('served')
  forgetServed: LogStore['forgetServed'] = () => this.#ask('forgetServed')
}

/** Opens the stores of `folder` in a thread. Rejects as `openSqliteStorage` does. */
export async function openThreadedSqliteStorage(folder: string, options: OpenOptions = {}): Promise<Storage> {
  const { port1, port2 } = new MessageChannel()
  const worker = new Worker(new URL('./sqlite-worker.js', import.meta.url), {
    workerData: { folder, options, port: port2 },
    transferList: [port2],
  })
  const lost = new Promise<Error>((resolve) => {
    worker.once('error', resolve)
    worker.once('exit', (code) => resolve(new Error(`it ended with ${code}`)))
  })
  return connect(port1, lost)
}
