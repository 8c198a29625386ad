/** Records as a stream of text in one of the formats: a page at a time, in constant memory, as fast as it is taken. */
import { createHash } from 'node:crypto'
import type { Format } from '../../consent/exports/formats.js'
import type { Published } from '../../consent/exports/published.js'
import type { LinkedRecord } from '../site.js'

export interface ExportSource {
  /** Pages of records in the order asked for. */
  readonly pages: AsyncIterable<{ readonly records: readonly LinkedRecord[] }>
  /** What a record's policy says. */
  readonly publishedOf: (record: LinkedRecord) => Published
  readonly format: Format
  /** Whether this is the beginning of the file, where some formats have a line of their own. */
  readonly isBeginning: boolean
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
  const { pages, format, publishedOf, isBeginning, giveWay } = source
  if (isBeginning && format.head !== '') yield format.head
  for await (const { records } of pages) {
    let text = ''
    for (const record of records) {
      const line = format.write(record, publishedOf(record))
      if (line === null) tally.denials++
      else {
        text += line
        tally.records++
      }
    }
    if (text !== '') yield text
    await giveWay()
  }
}

/**
 * The body of an answer: nothing is read before it is asked for, and nothing more once whoever asked is gone. `ended` is called
 * once, when the last piece was taken, or no more will be.
 */
export function toBody(pieces: AsyncGenerator<string>, ended: () => void): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { value, done } = await pieces.next()
          if (!done) return controller.enqueue(encoder.encode(value))
          controller.close()
          ended()
        } catch (error) {
          // The answer breaks off, which its reader notices: its end is missing.
          ended()
          controller.error(error)
        }
      },
      async cancel() {
        ended()
        await pieces.return(undefined)
      },
    },
    { highWaterMark: 0 },
  )
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
