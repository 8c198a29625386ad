/** The formats that records leave in, and what they share: one record in, one line out, or none. Pure. */
import type { Evidence, Identity } from '../record.js'
import { CSV_HEAD, csvLine } from './csv.js'
import { jsonldLine } from './jsonld.js'
import { kantaraLine } from './kantara.js'
import { ndjsonLine } from './ndjson.js'
import type { Published } from './published.js'

/** A record that is linked to a person: nobody else's is exported. */
export interface Exported {
  /** Name of the log it is in, and where. */
  readonly log: string
  readonly index: number
  readonly evidence: Evidence
  readonly identity: Identity
}

export interface Format {
  readonly contentType: string
  /** What a file's name ends in. */
  readonly extension: string
  /** What stands in front of the first record, at the beginning of the file alone. */
  readonly head: string
  /** One line with its end; null for a denial, where the format has no word for it. */
  readonly write: (record: Exported, published: Published) => string | null
}

export const FORMATS = {
  ndjson: { contentType: 'application/x-ndjson', extension: 'ndjson', head: '', write: ndjsonLine },
  csv: { contentType: 'text/csv; charset=utf-8; header=present', extension: 'csv', head: CSV_HEAD, write: csvLine },
  jsonld: {
    contentType: 'application/x-ndjson; profile="https://w3id.org/dpv/schema/dpv-27560#record"',
    extension: 'jsonld.ndjson',
    head: '',
    write: jsonldLine,
  },
  kantara: {
    contentType: 'application/x-ndjson',
    extension: 'kantara.ndjson',
    head: '',
    write: kantaraLine,
  },
} as const satisfies Record<string, Format>

export type FormatName = keyof typeof FORMATS

export const FORMAT_NAMES = Object.keys(FORMATS) as [FormatName, ...FormatName[]]
