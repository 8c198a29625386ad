/** The whole way out: what pages submit is cosigned by strangers, served with their lines, anchored, and checked by the commands. */
import { EventEmitter } from 'node:events'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import type { Web } from './cli/log-source.js'
import { verify } from './cli/verify.js'
import { createMemoryEscrow } from './ledger/escrow.js'
import { createKeptCheckpoint } from './ledger/kept-checkpoint.js'
import { Ledger } from './ledger/ledger.js'
import { createSigner } from './ledger/signer.js'
import { TestWitness } from './ledger/test-witness.js'
import { type Outside, realOutside, startOutsiders } from './outsiders.js'
import { createMemoryStorage } from './storage/memory.js'
import { testFolder } from './test-folder.js'
import { SITE, testWorld } from './testing.js'
import { createKeyring } from './vault/keyring.js'
import { parseWitnessPolicy } from './verify/policy.js'

const URL_OF_LOG = `https://shop.example/_avow/log/${SITE}`

async function witnessedWorld(mode: 'open' | 'closed') {
  // The world's seed is fixed, so the key is known before the log is there.
  const { avow } = await testWorld()
  const vkey = avow.vkey(SITE)
  const witnesses = ['A', 'B'].map((name, i) => new TestWitness(`${name}.example/w`, 70 + i, [vkey]))
  const text = [
    ...witnesses.map((witness, i) => `witness ${'AB'[i]} ${witness.vkey} https://${i}.example/w`),
    'group both all A B',
    'quorum both',
  ].join('\n')
  const { witnesses: known, isMet } = parseWitnessPolicy(text)
  const anchored: string[] = []
  const later = new EventEmitter()
  const outside: Outside = {
    fetch: async (url, init) => {
      if (url === 'https://anchor.example/') {
        anchored.push(String(init.body))
        return new Response('')
      }
      return witnesses[Number(new URL(url).hostname[0])]!.fetch(url, init)
    },
    spawn: () => {
      throw new Error('nothing is to be spawned')
    },
    timeout: () => new AbortController().signal,
    later: (_, call) => {
      later.once('later', call)
      return () => later.off('later', call)
    },
    wait: async () => {},
  }
  const world = await testWorld({
    outside,
    anchor: 'https://anchor.example/',
    witnessing: { witnesses: known.map((witness) => ({ ...witness, url: witness.url! })), isMet, mode },
  })
  /** Time passes until what is served has this many lines of signatures. */
  const served = async (signatures: number, size: number) => {
    for (;;) {
      const answer = await world.avow.app.request(`/log/${SITE}/checkpoint`)
      const note = await answer.text()
      if (note.match(/^— /gm)?.length === signatures && note.split('\n')[1] === String(size)) return note
      later.emit('later')
      await new Promise<void>((resume) => setImmediate(resume))
    }
  }
  const web: Web = {
    fetch: async (url, init) => world.avow.app.request(url.slice('https://shop.example/_avow'.length), init),
    wait: async () => {},
    timeout: () => new AbortController().signal,
    apiKey: '',
  }
  const folder = testFolder()
  const policy = path.join(folder, 'policy')
  writeFileSync(policy, text)
  const check = async (...args: string[]) => {
    const printed: string[] = []
    const status = await verify([...args, '--vkey', vkey, '--policy', policy], web, (line: string) =>
      printed.push(line),
    )
    return { status, printed }
  }
  return { ...world, witnesses, anchored, served, check, folder, later }
}

test('a served log, and the evidence out of it, verify with the public key and the witnesses’ keys', async () => {
  const { avow, consent, audit, served, check, folder, anchored, later } = await witnessedWorld('open')
  const { subject } = await consent()
  const note = await served(3, 4)
  expect(await check(URL_OF_LOG)).toMatchObject({ status: 0 })
  const bundle = path.join(folder, 'evidence.json')
  writeFileSync(bundle, await (await audit(`/subjects/${subject}/evidence`)).text())
  expect(await check(bundle)).toMatchObject({ status: 0 })
  later.emit('later')
  await new Promise<void>((resume) => setImmediate(resume))
  // With its cosignatures, from the first on.
  expect(anchored[0]?.match(/^— /gm)).toHaveLength(3)
  expect(anchored.at(-1)).toBe(note)
  await avow.close()
})

test('a receipt that is asked for later has the witnesses’ lines, which the one that came with the answer could not wait for', async () => {
  const { avow, submission, post, receipt, served, check, folder } = await witnessedWorld('open')
  const sent = submission()
  const answer = await (await post(sent)).json()
  await served(3, 4)
  const file = path.join(folder, 'receipt.tlog-proof')
  writeFileSync(file, answer.receipt)
  expect((await check(file)).status).not.toBe(0)
  writeFileSync(file, await (await receipt(sent.id, sent.secret)).text())
  expect(await check(file)).toMatchObject({ status: 0 })
  await avow.close()
})

test('with the witnesses away, consents are still taken: open serves them, closed holds the checkpoint back', async () => {
  for (const mode of ['open', 'closed'] as const) {
    const { avow, consent, witnesses, served, logged, later } = await witnessedWorld(mode)
    await served(3, 3)
    for (const witness of witnesses) witness.misbehave = () => new Response('', { status: 500 })
    expect((await consent()).index).toBe(3)
    while (logged.length === 0) {
      later.emit('later')
      await new Promise<void>((resume) => setImmediate(resume))
    }
    await served(mode === 'open' ? 1 : 3, mode === 'open' ? 4 : 3)
    expect(logged[0]).toMatch(/^ALARM shop: only 0 of 2 witnesses cosigned 4 entries/)
    for (const witness of witnesses) witness.misbehave = null
    await served(3, 4)
    await avow.close()
  }
})

async function openLedger(log: string): Promise<Ledger> {
  const signer = createSigner(`dash.example/log/${log}`, new Uint8Array(32).fill(9))
  return Ledger.open({
    log,
    store: (await createMemoryStorage().openLog(log, signer.name)).log,
    signer,
    keyring: createKeyring([new Uint8Array(32).fill(3)]),
    escrow: createMemoryEscrow(),
    now: () => 0,
    warn: () => {},
  })
}

test('after a time without witnesses, what was cosigned before it is not served again', async () => {
  const ledger = await openLedger(SITE)
  const kept = createKeptCheckpoint()
  kept.write('cosigned while there were witnesses')
  const keptOf = () => kept
  await startOutsiders([ledger], { anchor: null, witnessing: null, keptOf, outside: realOutside, warn: () => {} })
  expect(kept.read()).toBeNull()
})

test('where what was published last can’t be read, nothing that was started is left running', async () => {
  const [signals, waited]: [AbortSignal[], number[]] = [[], []]
  const outside: Outside = {
    ...realOutside,
    fetch: (_, { signal }) => {
      signals.push(signal!)
      return new Promise((_resolve, reject) => {
        if (signal!.aborted) reject(signal!.reason)
        signal!.addEventListener('abort', () => reject(signal!.reason))
      })
    },
    later: (ms) => {
      waited.push(ms)
      return () => {}
    },
  }
  const [first, second] = await Promise.all(['shop.e2', 'shop'].map(openLedger))
  const keptOf = (log: string) => {
    if (log === 'shop') throw new Error('the disk is gone')
    return createKeptCheckpoint()
  }
  const options = { anchor: 'https://anchor.example/', witnessing: null, keptOf, outside, warn: () => {} }
  await expect(startOutsiders([first!, second!], options)).rejects.toThrow('the disk is gone')
  expect(signals.every(({ aborted }) => aborted)).toBe(true)
  expect(waited).toEqual([])
})
