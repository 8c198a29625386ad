/** Witnesses: what they cosign is served; who is down, wrong or slow raises an alarm and stops nothing, unless it is to. */
import { rmSync } from 'node:fs'
import { beforeEach, expect, test } from 'vitest'
import { consistencyProof } from '../merkle/proof.js'
import { readerOf } from '../merkle/test-trees.js'
import { leafHash, rootOf } from '../merkle/tree.js'
import { type Head, UnavailableError } from '../storage/storage.js'
import { testFolder } from '../test-folder.js'
import { openWitnessed, parseWitnessPolicy } from '../verify/policy.js'
import { testEntries } from '../verify/test-log.js'
import { formatCheckpoint } from './checkpoint.js'
import { createKeptCheckpoint, openKeptCheckpoint } from './kept-checkpoint.js'
import { Publication, type PublicationParts } from './publication.js'
import { createSigner } from './signer.js'
import { TestWitness } from './test-witness.js'

const signer = createSigner('dash.example/log/shop', new Uint8Array(32).fill(6))

/** A log that is as long as it is told to be. */
function logOf(salt = '') {
  const leaves = testEntries(400, salt).map(leafHash)
  return {
    prove: async (from: number, to: number) => consistencyProof(from, to, readerOf(leaves)),
    head(size: number): Head {
      const root = rootOf(size, readerOf(leaves.slice(0, size)))
      return {
        size,
        root,
        checkpoint: signer.sign(formatCheckpoint({ origin: signer.name, size, root })),
        recordedAt: 0,
      }
    },
  }
}
const log = logOf()

function world({ mode = 'open', quorum = '2', kept = createKeptCheckpoint() }: WorldOptions = {}) {
  const witnesses = ['A', 'B', 'C'].map((name, i) => new TestWitness(`${name}.example/w`, 60 + i, [signer.vkey]))
  const text = [
    ...witnesses.map(({ vkey }, i) => `witness ${'ABC'[i]} ${vkey} https://${i}.example/prefix/`),
    `group g ${quorum} A B C`,
    'quorum g',
  ].join('\n')
  const policy = parseWitnessPolicy(text)
  const current = { log, size: 10 }
  const warned: string[] = []
  const later: { ms: number; call: () => void }[] = []
  const timeouts: AbortController[] = []
  const parts: PublicationParts = {
    log: 'shop',
    vkey: signer.vkey,
    witnesses: policy.witnesses.map((witness) => ({ ...witness, url: witness.url! })),
    isMet: policy.isMet,
    mode,
    newest: async () => current.log.head(current.size),
    prove: (from, to) => current.log.prove(from, to),
    kept,
    fetch: (url, init) => witnesses[Number(new URL(url).hostname[0])]!.fetch(url, init),
    timeout: () => {
      const controller = new AbortController()
      timeouts.push(controller)
      return controller.signal
    },
    later: (ms, call) => {
      const waiting = { ms, call }
      later.push(waiting)
      return () => void later.splice(later.indexOf(waiting), 1)
    },
    warn: (line) => warned.push(line),
  }
  const publication = new Publication(parts)
  /** Time passes to the next run, and it ends. */
  const pass = async () => {
    later.shift()?.call()
    await publication.settled()
  }
  const grow = async (size: number) => {
    current.size = size
    publication.grown()
    await pass()
  }
  const open = async () => openWitnessed((await publication.served()).checkpoint, signer.vkey, policy)
  return { witnesses, policy, current, warned, later, timeouts, parts, publication, pass, grow, open }
}
interface WorldOptions {
  mode?: 'open' | 'closed'
  quorum?: string
  kept?: PublicationParts['kept']
}

let all: ReturnType<typeof world>
beforeEach(() => {
  all = world()
})

test('the served checkpoint carries the cosignatures, and each growth is proved to each witness', async () => {
  all.publication.grown()
  await all.publication.settled()
  expect(await all.open()).toMatchObject({ size: 10 })
  await all.grow(257)
  await all.grow(400)
  expect(await all.open()).toMatchObject({ size: 400 })
  for (const { logs, asked } of all.witnesses) {
    expect(logs.get(signer.name)?.size).toBe(400)
    expect(asked.map((body) => body.slice(0, body.indexOf('\n')))).toEqual(['old 0', 'old 10', 'old 257'])
  }
  expect((await all.publication.served()).checkpoint.match(/^— /gm)).toHaveLength(4)
  expect(all.warned).toEqual([])
})

test('a witness that has seen more or less than is known says so, and is asked from there', async () => {
  const [first] = all.witnesses
  await first!.fetch('https://0.example/add-checkpoint', {
    method: 'POST',
    body: `old 0\n\n${log.head(4).checkpoint}`,
  })
  all.publication.grown()
  await all.publication.settled()
  expect(first!.asked.slice(1).map((body) => body.split('\n')[0])).toEqual(['old 0', 'old 4'])
  expect((await all.publication.served()).checkpoint.match(/^— /gm)).toHaveLength(4)
})

const text = (head: Head) => head.checkpoint.slice(0, head.checkpoint.lastIndexOf('\n\n') + 1)
const other = new TestWitness('A.example/w', 99, [])
const conflict = (body: string, type = 'text/x.tlog.size') =>
  new Response(body, { status: 409, headers: { 'content-type': type } })
const failures: [string, NonNullable<TestWitness['misbehave']>, RegExp][] = [
  [
    'is down',
    () => Promise.reject(new TypeError('fetch failed', { cause: new Error('refused') })),
    /A can't be.*refused/,
  ],
  ['is broken', () => new Response('', { status: 500 }), /A answered 500/],
  ['does not know the log', () => new Response('', { status: 404 }), /does not know this log/],
  ['does not know the key', () => new Response('', { status: 403 }), /does not know the key/],
  ['sees no growth', () => new Response('', { status: 422 }), /A fork\?/],
  [
    'signs with another key',
    () => new Response(other.lineOver(text(log.head(10)))),
    /without a cosignature by its key/,
  ],
  [
    'signs something else',
    () => new Response(new TestWitness('A.example/w', 60, []).lineOver(text(log.head(9)))),
    /signature of A.example\/w is false/,
  ],
  ['answers nothing', () => new Response(''), /what is no cosignature/],
  ['answers with a page', () => new Response('<!doctype html>'), /what is no cosignature/],
  ['answers without an end', () => new Response('— A.example/w '.repeat(9000)), /does not end/],
  ['tells no size', () => conflict('many\n'), /409 without a size/],
  ['tells a size as a page', () => conflict('5\n', 'text/html'), /409 without a size/],
  ['tells the same size again', () => conflict('0\n'), /refused the size that it told itself/],
  ['tells another size each time', (body) => conflict(`${(Number(body[4]) + 1) % 9}\n`), /another size each time/],
  ['has seen more', () => conflict('11\n'), /has seen 11 entries of this log, which has 10/],
]

test.each(failures)(
  'a witness that %s is told to the operator, and the others are enough',
  async (_, misbehave, words) => {
    all.witnesses[0]!.misbehave = misbehave
    all.publication.grown()
    await all.publication.settled()
    expect(await all.open()).toMatchObject({ size: 10 })
    expect(all.publication.isFailing).toBe(false)
    expect(all.warned).toEqual([expect.stringMatching(words)])
    await all.grow(20)
    expect(await all.open()).toMatchObject({ size: 20 })
  },
)

test.each(failures)(
  'where a witness that is needed %s, open serves without it and raises an alarm, closed serves nothing newer',
  async (_, misbehave) => {
    for (const mode of ['open', 'closed'] as const) {
      const { witnesses, publication, warned, grow, open, pass } = world({ mode, quorum: 'all' })
      publication.grown()
      await publication.settled()
      expect(await open()).toMatchObject({ size: 10 })
      witnesses[0]!.misbehave = (body, init) => misbehave(body.replace(/^old \d+/, 'old 0'), init)
      await grow(12)
      expect(publication.isFailing, mode).toBe(true)
      expect((await publication.served()).size).toBe(mode === 'open' ? 12 : 10)
      expect(warned[0]).toMatch(/^ALARM shop: only 2 of 3 witnesses cosigned 12 entries: /)
      // Told once, tried again after a while, and over when the witness is back.
      await pass()
      expect(warned.filter((line) => line.startsWith('ALARM')).length).toBeLessThanOrEqual(2)
      witnesses[0]!.misbehave = null
      await pass()
      expect(await open()).toMatchObject({ size: 12 })
      expect(warned.at(-1)).toBe('shop: enough witnesses cosign again')
    }
  },
)

test('a slow witness delays nobody, and is given up after five seconds', async () => {
  let asked = () => {}
  const isAsked = new Promise<void>((resolve) => {
    asked = resolve
  })
  all.witnesses[0]!.misbehave = (_, { signal }) =>
    new Promise((_resolve, reject) => {
      signal!.addEventListener('abort', () => reject(signal!.reason))
      asked()
    })
  all.publication.grown()
  await isAsked
  // The two others have cosigned as soon as their answers are in, while the first is still waited for.
  while (!all.publication.cosigned) await new Promise<void>((resume) => setImmediate(resume))
  expect(await all.open()).toMatchObject({ size: 10 })
  // At most one run is under way.
  all.current.size = 20
  all.publication.grown()
  expect(all.witnesses[1]!.asked).toHaveLength(1)
  for (const timeout of all.timeouts) timeout.abort()
  await all.publication.settled()
  expect(all.warned).toEqual(["shop: A can't be reached: it took too long"])
  all.witnesses[0]!.misbehave = null
  await all.pass()
  expect(await all.open()).toMatchObject({ size: 20 })
})

test('in closed mode nothing is served before the first cosignatures', async () => {
  const { publication, witnesses, open, pass } = world({ mode: 'closed', quorum: 'all' })
  witnesses[0]!.misbehave = () => new Response('', { status: 500 })
  await expect(publication.served()).rejects.toThrow('no checkpoint of shop is cosigned yet')
  await publication.settled()
  await expect(publication.served()).rejects.toThrow('no checkpoint of shop is cosigned yet')
  witnesses[0]!.misbehave = null
  await pass()
  expect(await open()).toMatchObject({ size: 10 })
})

test('what is served never gets smaller, whatever the witnesses do', async () => {
  const { witnesses, publication, grow, current } = world({ quorum: 'all' })
  const sizes: number[] = []
  const look = async () => sizes.push((await publication.served()).size)
  for (const [size, isDown] of [
    [10, false],
    [11, true],
    [12, true],
    [13, false],
    [20, false],
    [30, true],
  ] as const) {
    witnesses[2]!.misbehave = isDown ? () => new Response('', { status: 500 }) : null
    current.size = size
    await look()
    await grow(size)
    await look()
  }
  expect(sizes).toEqual(sizes.toSorted((a, b) => a - b))
  expect(sizes.at(-1)).toBe(30)
})

test('another node that is ahead is no alarm: its head is cosigned in the next run', async () => {
  const { witnesses, publication, warned, current, parts, pass } = world({ quorum: 'all' })
  // While this node submits ten entries, another one has the witnesses cosign twenty.
  const ahead = witnesses.map(() => true)
  witnesses.forEach((witness, i) => {
    witness.misbehave = (body) => {
      if (ahead[i]) {
        ahead[i] = false
        current.size = 20
        witness.answer(`old 0\n\n${log.head(20).checkpoint}`)
      }
      return witness.answer(body)
    }
  })
  publication.grown()
  await publication.settled()
  expect(publication.isFailing).toBe(false)
  await pass()
  expect(publication.cosigned?.size).toBe(20)
  expect(warned).toEqual([])
  expect(parts.kept.read()).toBe(publication.cosigned?.checkpoint)
})

test('what was served is never stepped back from by a restart, nor by another mode', async () => {
  const folder = testFolder()
  const open = (mode: 'open' | 'closed') =>
    world({ mode, quorum: 'all', kept: openKeptCheckpoint(folder, 'shop', 'node') })
  const down = () => new Response('', { status: 500 })
  const first = open('open')
  await first.grow(10)
  expect(await first.open()).toMatchObject({ size: 10 })
  first.witnesses[0]!.misbehave = down
  await first.grow(12)
  expect((await first.publication.served()).size).toBe(12)
  // While the witness is away: 10 entries are cosigned, and 12 were served.
  const again = open('open')
  again.witnesses[0]!.misbehave = down
  again.current.size = 12
  expect((await again.publication.served()).size).toBe(12)
  const closed = open('closed')
  closed.witnesses[0]!.misbehave = down
  await closed.grow(12)
  await expect(closed.publication.served()).rejects.toThrow('no checkpoint of shop is cosigned yet')
  closed.witnesses[0]!.misbehave = null
  await closed.pass()
  expect(await closed.open()).toMatchObject({ size: 12 })
  expect(await open('closed').open()).toMatchObject({ size: 12 })
})

test('after an outage a log that never rests is served with cosignatures again', async () => {
  const { witnesses, publication, grow, current, pass, open } = world({ quorum: 'all' })
  await grow(10)
  witnesses[0]!.misbehave = () => new Response('', { status: 500 })
  await grow(12)
  expect((await publication.served()).size).toBe(12)
  witnesses[0]!.misbehave = null
  // While the witnesses are being asked, the log grows past what they are asked about, and somebody looks.
  witnesses[1]!.misbehave = async (body) => {
    current.size++
    await publication.served()
    return witnesses[1]!.answer(body)
  }
  await pass()
  await pass()
  expect(await open()).toMatchObject({ size: publication.cosigned!.size })
})

test('a cosigned checkpoint that can’t be taken back holds back what is newer', async () => {
  const folder = testFolder()
  const { witnesses, publication, grow } = world({ quorum: 'all', kept: openKeptCheckpoint(folder, 'shop', 'node') })
  await grow(10)
  witnesses[0]!.misbehave = () => new Response('', { status: 500 })
  await grow(12)
  rmSync(folder, { recursive: true })
  await expect(publication.served()).rejects.toThrow(UnavailableError)
})

test('a fork is refused by every witness, however well it is signed', async () => {
  all.publication.grown()
  await all.publication.settled()
  all.current.log = logOf('other ')
  await all.grow(30)
  expect(all.warned[0]).toMatch(/^ALARM shop: only 0 of 3 witnesses cosigned 30 entries: .*A fork\?/)
})

test('what was cosigned is served again after a restart, unless it is not what the key signed', async () => {
  const folder = testFolder()
  const kept = openKeptCheckpoint(folder, 'shop', 'node')
  const first = world({ mode: 'closed', kept })
  first.publication.grown()
  await first.publication.settled()
  const again = world({ mode: 'closed', kept: openKeptCheckpoint(folder, 'shop', 'node') })
  expect(await again.open()).toMatchObject({ size: 10 })
  for (const wrong of ['broken', log.head(10).checkpoint]) {
    kept.write(wrong)
    await expect(world({ mode: 'closed', kept }).publication.served()).rejects.toThrow('cosigned yet')
  }
})

test('once closed, nobody is asked any more', async () => {
  all.publication.grown()
  await all.publication.close()
  expect(all.later).toEqual([])
  all.publication.grown()
  await all.publication.settled()
  expect(all.witnesses[0]!.asked).toHaveLength(1)
})
