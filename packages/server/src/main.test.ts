/** A server over its stores and its escrow: what it takes up when one of them is older, lost, or another's. */
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { formatCheckpoint } from './ledger/checkpoint.js'
import { createMemoryEscrow, type Escrow, openFileEscrow } from './ledger/escrow.js'
import { createSigner } from './ledger/signer.js'
import { TestWitness } from './ledger/test-witness.js'
import { type AvowOptions, createAvow } from './main.js'
import { type Outside, realOutside } from './outsiders.js'
import { createMemoryStorage } from './storage/memory.js'
import { LockedError, OriginError, UnavailableError } from './storage/storage.js'
import { testFolder } from './test-folder.js'
import { PAGE_ORIGIN, SITE, testPolicy, testWorld } from './testing.js'
import { parseWitnessPolicy } from './verify/policy.js'

/** A server with this folder, over stores that are new unless given. */
const open = (folder: string, more: Partial<AvowOptions> = {}) =>
  createAvow({
    data: folder,
    publicUrl: 'https://shop.example/_avow',
    sites: [{ site: SITE, policy: testPolicy(), origins: [PAGE_ORIGIN], publicLog: true }],
    rateLimit: null,
    keys: [new Uint8Array(32).fill(3)],
    seedOf: () => new Uint8Array(32).fill(9),
    log: () => {},
    storage: createMemoryStorage(),
    scripts: {
      loader: '',
      signals: '',
      ui: ['ui.js', ''],
      settings: ['settings.js', ''],
      account: ['account.js', ''],
      pinned: ['pinned.js', ''],
      evidence: () => '',
    },
    ...more,
  })

test('two nodes of one name on one escrow: the second is refused with the cure, and one of another name is not', async () => {
  const folder = testFolder()
  const start = (node: string, site = SITE) =>
    open(folder, { node, sites: [{ site, policy: testPolicy(), origins: [PAGE_ORIGIN], publicLog: true }] })
  const first = await start('one')
  const head = openFileEscrow(path.join(folder, 'escrow'), 'shop', 'one').highest()
  const second = start('one')
  await expect(second).rejects.toThrow(LockedError)
  await expect(second).rejects.toThrow(/shop\.one\.lock is held by another process: .*an AVOW_NODE of its own/)
  expect(openFileEscrow(path.join(folder, 'escrow'), 'shop', 'one').highest()).toEqual(head)
  // Another site's files are others.
  await (await start('one', 'other')).close()
  await first.close()
  expect(readdirSync(path.join(folder, 'escrow'))).toContain('shop.one.lock')
  // Whoever stopped may start again: memory has forgotten the log, so that it says it is behind its escrow, and reads on.
  await (await start('one')).close()
})

test('a copy of the ledger from before an epoch is only read, under the names that the escrow has', async () => {
  const folder = testFolder()
  const warned: string[] = []
  const storage = createMemoryStorage()
  await (await open(folder, { storage })).close()
  // What an epoch leaves, begun after this copy was made, under an address that the site had then.
  const escrow = openFileEscrow(path.join(folder, 'escrow'), 'shop.e2', 'other')
  const signer = createSigner('old.example/log/shop.e2', new Uint8Array(32).fill(9))
  const root = new Uint8Array(32)
  const checkpoint = signer.sign(formatCheckpoint({ origin: signer.name, size: 2, root }))
  await escrow.put({ size: 2, root, checkpoint, recordedAt: 0 })
  const avow = await open(folder, { storage, log: (line) => warned.push(line) })
  expect((await avow.app.request('/readyz')).status).toBe(503)
  expect(warned).toEqual([
    expect.stringMatching(/the log of shop\.e2 stands at 0 entries, and 2 were published.*recover/),
  ])
  expect(avow.vkey('shop')).toMatch(/^old\.example\/log\/shop\.e2\+/)
  expect((await avow.app.request('/log/shop/checkpoint')).status).toBe(200)
  await avow.close()
  const moved = open(folder, { origin: 'new.example' })
  await expect(moved).rejects.toThrow(OriginError)
})

test('a signing key is made for a log that nobody ever saw, and for no other', async () => {
  const folder = testFolder()
  const made: boolean[] = []
  const seedOf = (_: string, isNew: boolean) => {
    made.push(isNew)
    return new Uint8Array(32).fill(9)
  }
  for (const _ of [1, 2]) await (await open(folder, { seedOf })).close()
  expect(made).toEqual([true, false])
})

test('the evidence of a copy from before what was cosigned last is proved by what that copy has', async () => {
  const folder = testFolder()
  const newest = createMemoryStorage()
  const witness = new TestWitness('a.example/w', 70, [
    createSigner(`shop.example/_avow/log/${SITE}`, new Uint8Array(32).fill(9)).vkey,
  ])
  const { witnesses, isMet } = parseWitnessPolicy(`witness A ${witness.vkey} https://a.example/w\nquorum A\n`)
  const witnessing = { witnesses: witnesses.map((one) => ({ ...one, url: one.url! })), isMet, mode: 'open' } as const
  const outside: Outside = {
    ...realOutside,
    fetch: witness.fetch,
    later(_, call) {
      const soon = setImmediate(call)
      return () => clearImmediate(soon)
    },
  }
  // Two policies of three documents each are published and cosigned.
  for (const version of ['2026-04-01', '2026-05-01']) {
    const sites = [{ site: SITE, policy: testPolicy({ version }), origins: [PAGE_ORIGIN], publicLog: true }]
    const storage = newest
    const avow = await open(folder, { sites, storage, witnessing, outside })
    const size = version === '2026-04-01' ? 3 : 6
    const checkpoint = async () => (await avow.app.request(`/log/${SITE}/checkpoint`)).text()
    await expect.poll(checkpoint).toMatch(new RegExp(`\\n${size}\\n[^]*— a\\.example/w `))
    await avow.close()
  }
  // Recorded where nobody else knows of it: this takes the place of a copy that is older.
  const { avow: before, storage, consent, key } = await testWorld()
  const { subject } = await consent()
  await before.close()
  const avow = await open(folder, { storage, witnessing, outside })
  const headers = { authorization: `Bearer ${key}` }
  const answer = await avow.app.request(`/v1/audit/subjects/${subject}/evidence`, { headers })
  expect(answer.status).toBe(200)
  expect(((await answer.json()) as { checkpoint: string }).checkpoint.split('\n')[1]).toBe('4')
  await avow.close()
})

test('two sites on one host, or under one domain, are refused before anything is written: they would share a cookie', async () => {
  const site = (name: string, origins: string[], domain?: string) => ({
    ...{ site: name, policy: testPolicy(), origins, publicLog: true, domain },
  })
  const start = (...sites: ReturnType<typeof site>[]) => open(testFolder(), { sites })
  const shop = site('shop', ['https://shop.example', 'http://localhost:3000'])
  await expect(start(shop, site('blog', ['https://blog.example', 'https://shop.example']))).rejects.toThrow(
    /^sites\.blog\.origins: expected hosts that shop does not have: .* one cookie, that of shop\.example$/,
  )
  // Cookies know nothing of ports.
  await expect(start(shop, site('blog', ['http://localhost:4000']))).rejects.toThrow('sites.blog.origins')
  await expect(start(shop, shop)).rejects.toThrow()
  await expect(
    start(
      site('shop', ['https://a.shop.example'], 'shop.example'),
      site('blog', ['https://b.shop.example'], 'shop.example'),
    ),
  ).rejects.toThrow(/^sites\.blog\.domain: expected a domain that shop does not have/)
  await expect(start(site('shop', ['shop.example']))).rejects.toThrow(
    /^sites\.shop\.origins: expected origins of pages/,
  )
})

test('sites on hosts of their own are served side by side, one of them for a whole domain', async () => {
  const sites = [
    {
      site: 'shop',
      policy: testPolicy(),
      origins: ['https://shop.example', 'https://www.shop.example'],
      publicLog: true,
    },
    {
      site: 'blog',
      policy: testPolicy(),
      origins: ['https://blog.shop.example'],
      publicLog: true,
      domain: 'shop.example',
    },
  ]
  const avow = await open(testFolder(), { sites, seedOf: (name) => new Uint8Array(32).fill(name.length) })
  for (const { site } of sites) expect((await avow.app.request(`/v1/sites/${site}/avow.js`)).status).toBe(200)
  await avow.close()
})

test('what an escrow of one’s own says when it is away is 503, and no answer repeats it', async () => {
  const made = new Map<string, Escrow>()
  let isAway = false
  const ask = <T>(work: () => T): T => {
    if (isAway) throw new Error('bucket 7 is away')
    return work()
  }
  const escrowOf = (log: string): Escrow => {
    const escrow = made.get(log) ?? createMemoryEscrow()
    made.set(log, escrow)
    return { ...escrow, highest: () => ask(escrow.highest), put: (head) => ask(() => escrow.put(head)) }
  }
  const { post, submission, audit, logged } = await testWorld({ escrowOf })
  isAway = true
  for (const answer of [await post(submission()), await audit('/records')]) {
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '5'])
    expect(await answer.text()).not.toContain('bucket')
  }
  expect(logged).toContainEqual(expect.stringMatching(/the escrow of shop: bucket 7 is away/))
  await expect(testWorld({ escrowOf })).rejects.toThrow(UnavailableError)
  isAway = false
  expect((await post(submission())).status).toBe(201)
  expect((await audit('/records')).status).toBe(200)
})
