/**
 * A witness for the tests (c2sp.org/tlog-witness), written from the specification without the code that it tests: its own
 * parsing, its own tree, Node's signatures. It can be made to misbehave.
 */
import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'

const sha256 = (...parts: Buffer[]) => createHash('sha256').update(Buffer.concat(parts)).digest()

export class TestWitness {
  readonly vkey: string
  /** What it has cosigned last, by origin. */
  readonly logs = new Map<string, { size: number; root: Buffer }>()
  /** The bodies it was sent. */
  readonly asked: string[] = []
  /** Answers in its place, when set. */
  misbehave: ((body: string, init: RequestInit) => Promise<Response> | Response) | null = null
  unixSeconds = 1_700_000_000
  readonly #name: string
  readonly #key: KeyObject
  readonly #keyId: Buffer
  readonly #logKeys: ReadonlyMap<string, { id: Buffer; key: KeyObject }>

  /** `logs`: verifier keys of the logs it knows. */
  constructor(name: string, seed: number, logs: readonly string[]) {
    this.#name = name
    const prefix = Buffer.from('302e020100300506032b657004220420', 'hex')
    this.#key = createPrivateKey({
      key: Buffer.concat([prefix, Buffer.alloc(32, seed)]),
      format: 'der',
      type: 'pkcs8',
    })
    const raw = createPublicKey(this.#key).export({ format: 'der', type: 'spki' }).subarray(-32)
    this.#keyId = sha256(Buffer.from(`${name}\n\x04`, 'latin1'), raw).subarray(0, 4)
    this.vkey = `${name}+${this.#keyId.toString('hex')}+${Buffer.concat([Buffer.of(4), raw]).toString('base64')}`
    this.#logKeys = new Map(
      logs.map((vkey) => {
        const [origin = '', id = '', ...rest] = vkey.split('+')
        const spki = Buffer.from('302a300506032b6570032100', 'hex')
        const key = Buffer.concat([spki, Buffer.from(rest.join('+'), 'base64').subarray(1)])
        return [origin, { id: Buffer.from(id, 'hex'), key: createPublicKey({ key, format: 'der', type: 'spki' }) }]
      }),
    )
  }

  /** Stands in for `fetch`. */
  readonly fetch = async (url: string, init: RequestInit): Promise<Response> => {
    if (!url.endsWith('/add-checkpoint') || init.method !== 'POST') return new Response('', { status: 405 })
    const body = String(init.body)
    this.asked.push(body)
    return this.misbehave ? this.misbehave(body, init) : this.answer(body)
  }

  answer(body: string): Response {
    const refuse = (status: number) => new Response('', { status })
    const cut = body.indexOf('\n\n')
    const [first = '', ...proof] = body.slice(0, cut).split('\n')
    const note = body.slice(cut + 2)
    const [, digits] = /^old (0|[1-9]\d*)$/.exec(first) ?? []
    if (!digits || proof.length > 63) return refuse(400)
    const old = Number(digits)
    const end = note.lastIndexOf('\n\n')
    const text = note.slice(0, end + 1)
    const [origin = '', size = '', root = ''] = text.split('\n')
    const known = this.#logKeys.get(origin)
    if (!known) return refuse(404)
    const isSigned = note
      .slice(end + 2)
      .split('\n')
      .some((line) => {
        const [, name, encoded = ''] = line.split(' ')
        const bytes = Buffer.from(encoded, 'base64')
        const isIts = name === origin && bytes.subarray(0, 4).equals(known.id)
        return isIts && verify(null, Buffer.from(text), known.key, bytes.subarray(4))
      })
    if (!isSigned) return refuse(403)
    if (old > Number(size)) return refuse(400)
    const seen = this.logs.get(origin) ?? { size: 0, root: sha256() }
    const conflict = () =>
      new Response(`${seen.size}\n`, { status: 409, headers: { 'content-type': 'text/x.tlog.size' } })
    if (old !== seen.size) return conflict()
    const newRoot = Buffer.from(root, 'base64')
    if (old === Number(size) && old > 0 && !newRoot.equals(seen.root)) return conflict()
    const hashes = proof.map((line) => Buffer.from(line, 'base64'))
    if (!isConsistent(old, Number(size), seen.root, newRoot, hashes)) return refuse(422)
    this.logs.set(origin, { size: Number(size), root: newRoot })
    return new Response(this.lineOver(text))
  }

  /** Its signature line over a checkpoint's text. */
  lineOver(text: string): string {
    const time = Buffer.alloc(8)
    time.writeBigUInt64BE(BigInt(this.unixSeconds))
    const signature = sign(null, Buffer.from(`cosignature/v1\ntime ${this.unixSeconds}\n${text}`), this.#key)
    return `— ${this.#name} ${Buffer.concat([this.#keyId, time, signature]).toString('base64')}\n`
  }
}

/** SUBPROOF of RFC 6962 §2.1.2 read backwards: the two roots that a proof leads to. */
function isConsistent(from: number, to: number, oldRoot: Buffer, newRoot: Buffer, proof: Buffer[]): boolean {
  if (from === 0) return proof.length === 0
  const left = [...proof]
  const next = () => left.shift() ?? Buffer.alloc(0)
  const roots = (m: number, n: number, isWhole: boolean): [Buffer, Buffer] => {
    if (m === n) {
      const hash = isWhole ? oldRoot : next()
      return [hash, hash]
    }
    let split = 1
    while (split * 2 < n) split *= 2
    const node = (a: Buffer, b: Buffer) => sha256(Buffer.of(1), a, b)
    if (m <= split) {
      const [a, b] = roots(m, split, isWhole)
      return [a, node(b, next())]
    }
    const [a, b] = roots(m - split, n - split, false)
    const sibling = next()
    return [node(sibling, a), node(sibling, b)]
  }
  const [a, b] = roots(from, to, true)
  return left.length === 0 && a.equals(oldRoot) && b.equals(newRoot)
}
