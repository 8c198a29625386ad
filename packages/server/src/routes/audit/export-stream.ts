/** Records as a stream of text in one of the formats: a page at a time, in constant memory, as fast as it is taken. */
import { createHash } from 'node:crypto'
import type { Format } from '../../consent/exports/formats.js'
import type { Published } from '../../consent/exports/published.js'
import type { Outside } from '../../outsiders.js'
import type { LinkedRecord } from '../site.js'

export interface ExportSource {
  /** Pages of records in the order asked for. */
  readonly pages: AsyncIterable<{ readonly records: readonly LinkedRecord[] }>
  /** What a record's policy says. */
  readonly publishedOf: (record: LinkedRecord) => Published
  readonly format: Format
  /** Whether this is the beginning of the file, where some formats have a line of their own. */
  readonly isBeginning: boolean
  /** Waited for before the rows of a page leave; where it rejects, none does. */
  readonly leave: (rows: number) => Promise<void>
  /** Waited for after each page, so that whoever is in more of a hurry goes first. */
  readonly giveWay: () => Promise<void>
}

/** How much a stream was so far. */
export interface Tally {
  /** That have a line. */
  records: number
  /** That have none, for they grant nothing. */
  denials: number
}

export const createTally = (): Tally => ({ records: 0, denials: 0 })

/** A piece for each page. `tally` has counted what was taken, and is whole once the last piece was. */
export async function* exportText(source: ExportSource, tally: Tally): AsyncGenerator<string> {
  const { pages, format, publishedOf, isBeginning, leave, giveWay } = source
  if (isBeginning && format.head !== '') yield format.head
  for await (const { records } of pages) {
    const lines = records.map((record) => format.write(record, publishedOf(record)))
    const written = lines.filter((line) => line !== null)
    await leave(written.length)
    tally.records += written.length
    tally.denials += lines.length - written.length
    if (written.length > 0) yield written.join('')
    await giveWay()
  }
}

/** An answer that nobody goes on reading ends after this, so that it is known how much it was. */
export const UNREAD_LIMIT_MS = 300_000

/**
 * The body of an answer: nothing is read before it is asked for, and nothing more once whoever asked is gone, or asks no
 * more. `ended` is called when the last piece was taken, or no more will be. `later`: see `Outside`.
 */
export function toBody(
  pieces: AsyncGenerator<string>,
  later: Outside['later'],
  ended: () => void,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  let stopWaiting = () => {}
  return new ReadableStream<Uint8Array>(
    {
      start: waitFor,
      async pull(controller) {
        stopWaiting()
        try {
          const { value, done } = await pieces.next()
          if (!done) {
            controller.enqueue(encoder.encode(value))
            return waitFor(controller)
          }
          controller.close()
          ended()
        } catch (error) {
          // The answer breaks off, which its reader notices: its end is missing.
          ended()
          controller.error(error)
        }
      },
      async cancel() {
        stopWaiting()
        ended()
        await pieces.return(undefined)
      },
    },
    { highWaterMark: 0 },
  )

  /** For the next pull. */
  function waitFor(controller: ReadableStreamDefaultController<Uint8Array>): void {
    stopWaiting = later(UNREAD_LIMIT_MS, () => {
      ended()
      controller.error(new Error('nobody went on reading the answer'))
      void pieces.return(undefined)
    })
  }
}

/** What a text is, without keeping any of it. */
export class Digest {
  readonly #hash = createHash('sha256')
  #bytes = 0

  add(text: string): void {
    const encoded = Buffer.from(text)
    this.#hash.update(encoded)
    this.#bytes += encoded.length
  }

  /** To be asked once. */
  result(): { bytes: number; sha256: string } {
    return { bytes: this.#bytes, sha256: this.#hash.digest('hex') }
  }
}
