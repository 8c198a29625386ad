/** The formats that records leave in, and what they share: one record in, one line out, or the reason why none. Pure. */
import type { Evidence, Identity } from '../record.js'
import { CSV_HEAD, csvLine } from './csv.js'
import { jsonldLine } from './jsonld.js'
import { kantaraLine } from './kantara.js'
import { ndjsonLine } from './ndjson.js'
import type { Published } from './published.js'

/** A record whose evidence can be opened. `identity` is null once it was unlinked. */
export interface Exported {
  /** Name of the log it is in, and where. */
  readonly log: string
  readonly index: number
  readonly evidence: Evidence
  readonly identity: Identity | null
}

/** A record that is linked to a person: the standards have a place for nobody else's. */
export interface Linked extends Exported {
  readonly identity: Identity
}

/**
 * Why a record isn't in an export. `unlinked`: the format has no place for a record of nobody. `denial`: none for one that
 * grants nothing. A record that was erased can't be opened, and comes no further than the manifest's count.
 */
export type LeftOut = 'unlinked' | 'denial'

export interface Format {
  readonly contentType: string
  /** What a file's name ends in. */
  readonly extension: string
  /** What stands in front of the first record, at the beginning of the file alone. */
  readonly head: string
  /** One line with its end, or why there is none. */
  readonly write: (record: Exported, published: Published) => string | { readonly leftOut: LeftOut }
}

const linkedOnly =
  (write: (record: Linked, published: Published) => string | null): Format['write'] =>
  (record, published) => {
    if (!isLinked(record)) return { leftOut: 'unlinked' }
    return write(record, published) ?? { leftOut: 'denial' }
  }

const isLinked = (record: Exported): record is Linked => record.identity !== null

export const FORMATS = {
  ndjson: { contentType: 'application/x-ndjson', extension: 'ndjson', head: '', write: ndjsonLine },
  csv: { contentType: 'text/csv; charset=utf-8; header=present', extension: 'csv', head: CSV_HEAD, write: csvLine },
  jsonld: {
    contentType: 'application/x-ndjson; profile="https://w3id.org/dpv/schema/dpv-27560#record"',
    extension: 'jsonld.ndjson',
    head: '',
    write: linkedOnly(jsonldLine),
  },
  kantara: {
    contentType: 'application/x-ndjson',
    extension: 'kantara.ndjson',
    head: '',
    write: linkedOnly(kantaraLine),
  },
} as const satisfies Record<string, Format>

export type FormatName = keyof typeof FORMATS

export const FORMAT_NAMES = Object.keys(FORMATS) as [FormatName, ...FormatName[]]
