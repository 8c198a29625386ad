/** An entry that an answer rests on, with what proves that the log has it. */
import { z } from '@hono/zod-openapi'
import { encodeBase64 } from '../../ledger/base64.js'
import { provingHead, type Site } from '../site.js'

export const placeSchema = z.strictObject({
  log: z.string(),
  index: z.int(),
  /** As the tree commits to it. */
  entry: z.string(),
  proof: z.array(z.string()),
  size: z.int(),
  checkpoint: z.string(),
})

export type Place = z.infer<typeof placeSchema>

/** By a checkpoint that witnesses have cosigned, where there are any. */
export async function prove(site: Site, log: string, index: number, entry: string): Promise<Place> {
  const ledger = site.logs.get(log)!
  const { size, checkpoint } = await provingHead(site, ledger, index + 1)
  const [proof] = await ledger.prove([index], size)
  return { log, index, entry, proof: proof!.map(encodeBase64), size, checkpoint }
}

/** The same of a document, by its hash, in the oldest log that has it: a new epoch has it once more. Null where none has. */
export async function proveDocument(site: Site, hash: string): Promise<Place | null> {
  for (const ledger of [...site.logs.values()].reverse()) {
    const document = (await ledger.documents()).find((one) => one.hash === hash)
    if (!document) continue
    const [entry] = await ledger.entries(document.index, document.index + 1)
    return prove(site, ledger.log, document.index, new TextDecoder().decode(entry))
  }
  return null
}
