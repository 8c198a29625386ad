/**
 * A stranger reading the public log: entries, checkpoint and the tree between them, worked out the slow and obvious way
 * from the specifications (RFC 6962, c2sp.org/tlog-tiles, c2sp.org/signed-note), with none of the product's own code.
 */
import { createHash, createPublicKey, verify } from 'node:crypto'

export interface Head {
  readonly origin: string
  readonly size: number
  readonly root: string
}

const sha256 = (...parts: readonly Uint8Array[]) => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest()
}

/** RFC 6962 §2.1, word by word: split at the largest power of two below the size. */
export function rootOf(entries: readonly Buffer[]): Buffer {
  const [only] = entries
  if (only === undefined) return sha256()
  if (entries.length === 1) return sha256(Buffer.of(0x00), only)
  let split = 1
  while (split * 2 < entries.length) split *= 2
  return sha256(Buffer.of(0x01), rootOf(entries.slice(0, split)), rootOf(entries.slice(split)))
}

/** The checkpoint's three lines, if its signature is the key's; throws when it isn't. */
export function openCheckpoint(note: string, vkey: string): Head {
  const [name = '', , key = ''] = vkey.split(/\+(.*?)\+(.*)/s)
  const cut = note.lastIndexOf('\n\n')
  const text = note.slice(0, cut + 1)
  const mark = `— ${name} `
  const line = note
    .slice(cut + 2)
    .split('\n')
    .find((one) => one.startsWith(mark))
  if (!line) throw new Error(`no signature of ${name}`)
  const signature = Buffer.from(line.slice(mark.length), 'base64').subarray(4)
  const x = Buffer.from(key, 'base64').subarray(1).toString('base64url')
  const publicKey = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
  if (!verify(null, Buffer.from(text), publicKey, signature)) throw new Error(`the signature of ${name} is false`)
  const [origin = '', size = '', root = ''] = text.split('\n')
  return { origin, size: Number(size), root }
}

async function get(url: string): Promise<Response> {
  const answer = await fetch(url)
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`)
  return answer
}

/** Every entry of the log up to `size`, from its entry bundles. */
export async function readEntries(logUrl: string, size: number): Promise<Buffer[]> {
  const entries: Buffer[] = []
  for (let bundle = 0; entries.length < size; bundle++) {
    if (bundle > 999) throw new Error('a story makes no million entries')
    const width = Math.min(256, size - bundle * 256)
    const path = `${String(bundle).padStart(3, '0')}${width < 256 ? `.p/${width}` : ''}`
    const bytes = Buffer.from(await (await get(`${logUrl}/tile/entries/${path}`)).arrayBuffer())
    for (let at = 0; at < bytes.length; ) {
      const length = bytes.readUInt16BE(at)
      entries.push(bytes.subarray(at + 2, at + 2 + length))
      at += 2 + length
    }
  }
  return entries
}

/** Reads the whole log and redoes its tree; throws unless it has the root that its checkpoint signs. */
export async function verifyLog(logUrl: string, vkey: string): Promise<{ head: Head; entries: readonly Buffer[] }> {
  const head = openCheckpoint(await (await get(`${logUrl}/checkpoint`)).text(), vkey)
  const entries = await readEntries(logUrl, head.size)
  if (entries.length !== head.size) throw new Error(`${entries.length} entries, the checkpoint says ${head.size}`)
  const root = rootOf(entries).toString('base64')
  if (root !== head.root) throw new Error(`the entries have the root ${root}, the checkpoint signs ${head.root}`)
  return { head, entries }
}
