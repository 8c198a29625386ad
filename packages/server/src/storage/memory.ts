/** The stores as plain objects: for tests, and for trying Avow without a disk. Nothing survives the process. */
import {
  type ActiveDay,
  type ApiKeyRow,
  type Batch,
  type Count,
  DAY_MS,
  type DocumentRow,
  type EntryRow,
  type FacetQuery,
  type Forgetting,
  type Head,
  type KeyStore,
  type Known,
  type LogStore,
  type NewVaultRow,
  OriginError,
  otherKey,
  type Standing,
  type Storage,
  type TileRow,
} from './storage.js'

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

class MemoryLog implements LogStore {
  readonly isShared = false
  readonly #roots = new Map<number, Uint8Array>()
  #head: Head = { size: 0, root: new Uint8Array(32), checkpoint: '', recordedAt: 0 }
  readonly #entries: EntryRow[] = []
  readonly #vault: NewVaultRow[] = []
  readonly #counts: Count[] = []
  readonly #documents: DocumentRow[] = []
  readonly #tiles = new Map<string, TileRow>()
  readonly #keys = new Map<string, Known>()
  readonly #active = new Map<string, ActiveDay>()
  readonly #served = new Set<number>()

  async head(): Promise<Head> {
    return this.#head
  }

  async append(keys: readonly Uint8Array[], assumedSize: number, build: (standing: Standing) => Batch | null) {
    const known = new Map<string, Known>()
    for (const key of keys) {
      const found = this.#keys.get(hex(key))
      if (found) known.set(hex(key), found)
    }
    const edge = this.#head.size === assumedSize ? null : this.#edge()
    const assumedRoot = this.#roots.get(assumedSize) ?? null
    const batch = build({ head: this.#head, known, edge, assumedRoot, hasNewest: true })
    if (!batch) return null
    batch.vault.forEach((row, i) => {
      this.#keys.set(hex(row.key), { index: this.#head.size + i, fingerprint: row.fingerprint, erased: row.erased })
    })
    this.#roots.set(batch.head.size, batch.head.root)
    this.#entries.push(...batch.entries)
    this.#vault.push(...batch.vault)
    for (const { facet, recordedAt } of batch.vault) if (facet !== null) this.#count(facet, recordedAt)
    this.#documents.push(...batch.documents)
    for (const tile of batch.tiles) this.#tiles.set(`${tile.level}/${tile.n}`, tile)
    this.#head = batch.head
    return batch
  }

  #count(facet: string, recordedAt: number): void {
    const day = Math.floor(recordedAt / DAY_MS)
    const at = this.#counts.findIndex((one) => one.day === day && one.facet === facet)
    const count = (this.#counts[at]?.count ?? 0) + 1
    this.#counts.splice(at < 0 ? this.#counts.length : at, 1, { day, facet, count })
  }

  #edge(): TileRow[] {
    const rightmost = new Map<number, TileRow>()
    for (const tile of this.#tiles.values()) {
      if (tile.n >= (rightmost.get(tile.level)?.n ?? 0)) rightmost.set(tile.level, tile)
    }
    return [...rightmost.values()]
  }

  async rootAt(size: number) {
    return this.#roots.get(size) ?? null
  }

  // Nothing outlives the process, so nothing is left behind by a crash.
  async reconcile() {}

  async vaultSize() {
    return this.#vault.length
  }

  async forget(changes: readonly Forgetting[]) {
    for (const { index, grade, secrets } of changes) {
      const row = this.#vault[index]
      if (!row || row.erased === 'erase') continue
      const fingerprint = new Uint8Array(row.fingerprint.length)
      const facet = grade === 'erase' ? null : row.facet
      this.#vault[index] = { ...row, subject: null, account: null, fingerprint, secrets, erased: grade, facet }
      this.#keys.set(hex(row.key), { index, fingerprint, erased: grade })
      if (row.subject && this.#findBy('subject', row.subject).length === 0) this.#active.delete(hex(row.subject))
    }
  }

  async rewrap(start: number, end: number, convert: (index: number, secrets: Uint8Array) => Uint8Array | null) {
    for (let index = start; index < Math.min(end, this.#vault.length); index++) {
      const row = this.#vault[index]!
      this.#vault[index] = { ...row, secrets: convert(index, row.secrets) ?? row.secrets }
    }
  }

  async entries(start: number, end: number) {
    return this.#entries.slice(start, end)
  }

  async tile(level: number, n: number) {
    return this.#tiles.get(`${level}/${n}`)?.hashes ?? null
  }

  async documents() {
    return [...this.#documents]
  }

  async vaultRow(index: number) {
    return this.#vault[index] ?? null
  }

  async findKey(key: Uint8Array) {
    return this.#keys.get(hex(key)) ?? null
  }

  async findSubject(subject: Uint8Array) {
    return this.#findBy('subject', subject)
  }

  async findAccount(account: Uint8Array) {
    return this.#findBy('account', account)
  }

  #findBy(whose: 'subject' | 'account', blind: Uint8Array): number[] {
    const wanted = hex(blind)
    return this.#vault.flatMap(({ [whose]: found }, index) => (found && hex(found) === wanted ? [index] : []))
  }

  async recent(before: number, limit: number) {
    const found: number[] = []
    for (let index = Math.min(before, this.#vault.length) - 1; index >= 0 && found.length < limit; index--) {
      if (this.#vault[index]?.subject) found.push(index)
    }
    return found
  }

  async rows(indexes: readonly number[]) {
    return indexes.flatMap((index) => {
      const row = this.#entries[index]
      return row ? [{ index, row, secrets: this.#vault[index]?.secrets ?? null }] : []
    })
  }

  async facets() {
    return [...new Set(this.#counts.map(({ facet }) => facet))]
  }

  async findFacets({ facets, erased, from, below, order, limit }: FacetQuery) {
    const wanted = new Set<string | null>(facets)
    const found = this.#vault.flatMap((row, index) =>
      index >= from && index < below && row.erased === erased && wanted.has(row.facet) ? [index] : [],
    )
    return (order === 'newest' ? found.reverse() : found).slice(0, limit)
  }

  async firstAt(recordedAt: number) {
    const index = this.#vault.findIndex((row) => row.recordedAt >= recordedAt)
    return index < 0 ? this.#vault.length : index
  }

  async countErased(from: number, below: number) {
    return this.#vault.slice(from, below).filter(({ erased }) => erased === 'erase').length
  }

  async counts(from: number, below: number) {
    return this.#counts.filter(({ day }) => day >= from && day < below)
  }

  // Nothing outlives the process, so there is nothing of an earlier release.
  async undated() {
    return 0
  }

  async date() {}

  async keepActive(days: readonly ActiveDay[]) {
    for (const active of days) {
      const before = this.#active.get(hex(active.subject))
      if ((before && before.day >= active.day) || this.#findBy('subject', active.subject).length === 0) continue
      this.#active.set(hex(active.subject), active)
    }
  }

  async idle(until: number, limit: number) {
    const due = [...this.#active.values()].filter(({ day }) => day <= until)
    return due.sort((a, b) => a.day - b.day).slice(0, limit)
  }

  async dropActive(days: readonly ActiveDay[]) {
    for (const { subject, day } of days) {
      const kept = this.#active.get(hex(subject))
      if (kept && kept.day <= day) this.#active.delete(hex(subject))
    }
  }

  async keepServed(day: number) {
    for (const later of this.#served) if (later > day) this.#served.delete(later)
    this.#served.add(day)
  }

  async forgetServed() {
    this.#served.clear()
  }

  async served() {
    return [...this.#served].sort((a, b) => a - b)
  }
}

export function createMemoryStorage(): Storage {
  const logs = new Map<string, { origin: string; log: MemoryLog }>()
  const values = new Map<string, Uint8Array>()
  const keys = createMemoryKeys()
  let current: string | null = null
  return {
    names: { ledger: 'the ledger in memory', vault: 'the vault in memory' },
    keys,
    logs: async () => [...logs.keys()],
    async openLog(site, origin) {
      const stored = logs.get(site) ?? null
      const name = stored?.origin ?? origin
      if (name === null || (origin !== null && origin !== name))
        throw new OriginError(site, stored?.origin ?? null, origin)
      const opened = stored ?? { origin: name, log: new MemoryLog() }
      logs.set(site, opened)
      return opened
    },
    async vaultValue(name, create) {
      const value = values.get(name) ?? create()
      values.set(name, value)
      return value
    },
    async replaceVaultValues(fresh) {
      for (const [name, value] of fresh) values.set(name, value)
    },
    vaultValues: async () => new Map(values),
    currentKey: async () => current,
    async useKey(id, before) {
      if (current !== before && current !== id) throw otherKey(current, id)
      current = id
    },
    close: async () => {},
  }
}

function createMemoryKeys(): KeyStore {
  const rows = new Map<string, ApiKeyRow>()
  const has = ({ hash, oldHash }: ApiKeyRow, wanted: string) =>
    hex(hash) === wanted || (oldHash !== null && hex(oldHash) === wanted)
  const change = (id: string, changeOf: (row: ApiKeyRow) => Partial<ApiKeyRow>) => {
    const row = rows.get(id)
    if (row) rows.set(id, { ...row, ...changeOf(row) })
    return row !== undefined
  }
  return {
    add: async (row) => void rows.set(row.id, row),
    find: async (hash) => [...rows.values()].find((row) => has(row, hex(hash))) ?? null,
    get: async (id) => rows.get(id) ?? null,
    list: async () => [...rows.values()],
    rotate: async (id, rotation) =>
      rows.get(id)?.revokedAt === null && change(id, ({ hash }) => ({ ...rotation, oldHash: hash })),
    revoke: async (id, at) => change(id, ({ revokedAt }) => ({ revokedAt: revokedAt ?? at })),
    used: async (id, day) =>
      void change(id, ({ usedOn }) => ({ usedOn: usedOn !== null && usedOn > day ? usedOn : day })),
  }
}
