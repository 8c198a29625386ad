/** What a privacy team asks of the records: by what was chosen, by whom, when; page by page; and one with its proof. */
import { describe, expect, test } from 'vitest'
import { openCheckpoint } from '../../ledger/checkpoint.js'
import { createMemoryEscrow, type Escrow } from '../../ledger/escrow.js'
import { verifyInclusion } from '../../merkle/proof.js'
import { leafHash } from '../../merkle/tree.js'
import { createMemoryStorage } from '../../storage/memory.js'
import { SITE, testPolicy, testWorld } from '../../testing.js'

interface Listed {
  id: string
  index: number
  subject: string
  recordedAt: string
  action: string
  choices: Record<string, boolean>
  policy: { version: string }
  language: string
  layer: string
  gpc: boolean | null
  account: string | null
}

interface Page {
  records: Listed[]
  next: string | null
  log: { size: number; checkpoint: string }
}

const DAY_MS = 86_400_000

async function expectRefused(response: Response, field: string) {
  expect(response.status).toBe(422)
  expect(await response.json()).toMatchObject({ code: 'invalid-input', field })
}

/** Sixty records that differ in everything that is asked for, made over twelve days, some of them signed in. */
async function recorded() {
  const storage = createMemoryStorage()
  await testWorld({ storage, policy: testPolicy({ version: '2026-01' }) }).then(({ avow }) => avow.close())
  const world = await testWorld({ storage })
  const { avow, clock, submission, post, signedIn } = world
  const german = await (await avow.app.request(`/v1/sites/${SITE}/notice?lang=de`)).json()
  const old = await oldNotice(world)
  const answers = []
  for (let i = 0; i < 60; i++) {
    clock.now += (DAY_MS * 12) / 60
    const grants = i % 3 !== 0
    const notice =
      i % 7 === 0 ? old : i % 4 === 0 ? { policy: german.policy, notice: { hash: german.hash, language: 'de' } } : {}
    const sent = submission({
      secret: Buffer.alloc(16, i % 9).toString('base64url'),
      action: grants ? (i % 2 === 0 ? 'accept-all' : 'save') : i % 2 === 0 ? 'reject-all' : 'withdraw',
      choices: { analytics: grants },
      layer: ['banner', 'preferences', 'settings'][i % 3],
      gpc: [true, false, null][i % 5] ?? null,
      ...notice,
    })
    const response = await post(sent, i % 6 === 0 ? await signedIn(i % 12 === 0 ? 'ann' : 'björn') : {})
    expect(response.status).toBe(201)
    answers.push(await response.json())
  }
  const ask = (query: string, headers: Record<string, string> = {}, key = world.key) =>
    avow.app.request(`/v1/audit/records${query}`, { headers: { authorization: `Bearer ${key}`, ...headers } })
  const page = async (query: string, headers: Record<string, string> = {}): Promise<Page> => {
    const response = await ask(query, headers)
    expect(response.status).toBe(200)
    return response.json()
  }
  /** All pages of a question. */
  const walk = async (query: string, headers: Record<string, string> = {}) => {
    const pages = [await page(query, headers)]
    for (let next = pages[0]!.next; next !== null; next = pages.at(-1)!.next)
      pages.push(await page(`${query}&cursor=${next}`, headers))
    return pages
  }
  const all = (await page('?limit=1000&order=oldest')).records
  return { ...world, storage, answers, ask, page, walk, all }
}

/** What a submission cites that was shown the notice of the policy before. */
async function oldNotice({ storage }: Awaited<ReturnType<typeof testWorld>>) {
  const documents = await (await storage.openLog(SITE, null)).log.documents()
  const find = (wanted: string) => documents.find(({ kind, version }) => kind === wanted && version === '2026-01')!
  const [policy, notice] = [find('policy'), find('notice')]
  return {
    policy: { version: '2026-01', hash: policy.hash },
    notice: { hash: notice.hash, language: notice.language },
  }
}

describe('the records', () => {
  test('are those that match each filter, alone and together, in both orders, and no other', async () => {
    const { page, all } = await recorded()
    expect(all).toHaveLength(60)
    const matching: Record<string, (record: Listed) => boolean> = {
      'action=withdraw': ({ action }) => action === 'withdraw',
      'action=import': () => false,
      'granted=analytics': ({ choices }) => choices.analytics === true,
      'denied=analytics': ({ choices }) => choices.analytics === false,
      'version=2026-01': ({ policy }) => policy.version === '2026-01',
      'version=2026-04': ({ policy }) => policy.version === '2026-04',
      'language=de': ({ language }) => language === 'de',
      'layer=settings': ({ layer }) => layer === 'settings',
      'gpc=true': ({ gpc }) => gpc === true,
      'gpc=false': ({ gpc }) => gpc === false,
      'gpc=none': ({ gpc }) => gpc === null,
      [`subject=${all[4]!.subject}`]: ({ subject }) => subject === all[4]!.subject,
      [`from=${all[20]!.recordedAt}`]: ({ recordedAt }) => recordedAt >= all[20]!.recordedAt,
      [`to=${all[40]!.recordedAt}`]: ({ recordedAt }) => recordedAt < all[40]!.recordedAt,
    }
    const questions = Object.keys(matching)
    for (const one of questions) {
      for (const other of questions) {
        if (one !== other && one.split('=')[0] === other.split('=')[0]) continue
        const wanted = all.filter((record) => matching[one]!(record) && matching[other]!(record))
        const query = one === other ? `?limit=1000&${one}` : `?limit=1000&${one}&${other}`
        const found = (await page(`${query}&order=oldest`)).records
        expect([query, found.map(({ index }) => index)]).toEqual([query, wanted.map(({ index }) => index)])
        expect((await page(query)).records).toEqual(found.reverse())
      }
    }
  })

  test('of an account are found by its name in a header, alone and with filters', async () => {
    const { page, all } = await recorded()
    const ann = all.filter(({ account }) => account === 'ann')
    expect(ann).toHaveLength(5)
    const headers = { 'avow-subject-account': 'ann' }
    expect((await page('?order=oldest', headers)).records).toEqual(ann)
    expect((await page('?order=oldest&denied=analytics', headers)).records).toEqual(
      ann.filter(({ choices }) => !choices.analytics),
    )
    const encoded = { 'avow-subject-account': encodeURIComponent('björn') }
    expect((await page('?order=oldest', encoded)).records).toEqual(all.filter(({ account }) => account === 'björn'))
    const [one] = ann
    expect((await page(`?order=oldest&subject=${one!.subject}`, headers)).records).toEqual(
      ann.filter(({ subject }) => subject === one!.subject),
    )
    expect((await page('', { 'avow-subject-account': 'nobody' })).records).toEqual([])
  })

  test('come page by page, each once, of the log as it stood, whatever is recorded meanwhile', async () => {
    const { avow, page, consent, all } = await recorded()
    for (const order of ['newest', 'oldest']) {
      const first = await page(`?limit=7&order=${order}&granted=analytics`)
      const seen = [...first.records]
      for (let { next } = first; next !== null; ) {
        await consent()
        const more = await page(`?limit=7&order=${order}&granted=analytics&cursor=${next}`)
        expect(more.log).toEqual(first.log)
        seen.push(...more.records)
        next = more.next
      }
      const { size } = openCheckpoint(first.log.checkpoint, avow.vkey(SITE))
      expect(size).toBe(first.log.size)
      const wanted = all.filter(({ choices }) => choices.analytics)
      const mine = seen.filter(({ index }) => index <= all.at(-1)!.index)
      expect(mine.map(({ index }) => index)).toEqual(
        (order === 'newest' ? wanted.reverse() : wanted).map(({ index }) => index),
      )
      expect(seen.every(({ index }) => index < size)).toBe(true)
      expect(new Set(seen.map(({ id }) => id)).size).toBe(seen.length)
    }
  })

  test('on a page of full length that is the last one have no cursor', async () => {
    const { page } = await recorded()
    expect([(await page('?limit=60')).next, (await page('?limit=59')).next]).toEqual([null, expect.any(String)])
  })

  test('that were unlinked or erased are on no page, also where that happens between two', async () => {
    const { storage, walk, page, all } = await recorded()
    const { log } = await storage.openLog(SITE, null)
    const first = await page('?limit=10&order=oldest')
    const gone = [all[3]!, all[15]!, all[16]!]
    const secrets = new Uint8Array(0)
    await log.forget(gone.map(({ index }, i) => ({ index, grade: i === 0 ? 'unlink' : 'erase', secrets })))
    const second = await page(`?limit=10&order=oldest&cursor=${first.next}`)
    expect(second.records.map(({ index }) => index)).toEqual(
      all.slice(10, 22).flatMap(({ index }) => (gone.some((one) => one.index === index) ? [] : [index])),
    )
    const left = (await walk('?limit=10&order=oldest')).flatMap(({ records }) => records)
    expect(left).toEqual(all.filter((record) => !gone.includes(record)))
  })

  test('are not to be had with a cursor of another key, filter, order, site or log, nor with one that was changed', async () => {
    const { avow, ask, page, audit } = await recorded()
    const { next } = await page('?limit=5&granted=analytics')
    expect(next).not.toBeNull()
    // How many are on a page may change.
    expect((await ask(`?limit=6&granted=analytics&cursor=${next}`)).status).toBe(200)
    const other = await avow.keys.create({ name: 'other', site: SITE, scopes: ['audit:read'] })
    await expectRefused(await ask(`?limit=5&granted=analytics&cursor=${next}`, {}, other), 'cursor')
    for (const query of ['', 'denied=analytics', 'granted=analytics&gpc=none', 'granted=analytics&order=oldest'])
      await expectRefused(await ask(`?limit=5&${query}&cursor=${next}`), 'cursor')
    await expectRefused(await ask(`?granted=analytics&cursor=${next}`, { 'avow-subject-account': 'ann' }), 'cursor')
    const changed = `${next!.slice(0, 10)}${next![10] === 'A' ? 'B' : 'A'}${next!.slice(11)}`
    await expectRefused(await audit(`/records?granted=analytics&cursor=${changed}`), 'cursor')
  })

  test('of one site are not to be had with the cursor of another', async () => {
    const sites = [SITE, 'other'].map((site) => ({
      ...{ site, policy: testPolicy(), publicLog: false },
      origins: [`https://${site}.example`],
    }))
    const { avow, consent } = await testWorld({ sites })
    for (let i = 0; i < 3; i++) await consent()
    const key = await avow.keys.create({ name: 'both', sites: [SITE, 'other'], scopes: ['audit:read'] })
    const ask = (site: string, query: string) =>
      avow.app.request(`/v1/audit/records?limit=2${query}`, {
        headers: { authorization: `Bearer ${key}`, 'avow-site': site },
      })
    const { next } = await (await ask(SITE, '')).json()
    expect((await ask(SITE, `&cursor=${next}`)).status).toBe(200)
    await expectRefused(await ask('other', `&cursor=${next}`), 'cursor')
  })

  test('are refused for a parameter that is unknown, malformed, absurd or sent twice, by its name', async () => {
    const { ask } = await recorded()
    for (const [query, field] of [
      ['colour=red', 'colour'],
      ['account=ann', 'account'],
      ['action=dance', 'action'],
      ['action=save&action=withdraw', 'action'],
      ['granted=ads', 'granted'],
      ['denied=necessary', 'denied'],
      ['granted=__proto__', 'granted'],
      ['version=2020-01', 'version'],
      ['language=xx', 'language'],
      ['layer=cellar', 'layer'],
      ['gpc=null', 'gpc'],
      ['order=random', 'order'],
      ['subject=ann', 'subject'],
      ['from=yesterday', 'from'],
      ['from=2026-11-23', 'from'],
      ['to=2026-11-23T10:00:00%2B01:00', 'to'],
      ['from=2026-11-24T00:00:00Z&to=2026-11-23T00:00:00Z', 'from'],
      ['limit=0', 'limit'],
      ['limit=1001', 'limit'],
      ['limit=1e99', 'limit'],
      ['limit=%2B5', 'limit'],
      ['limit=5.0', 'limit'],
      ['limit=5&limit=5', 'limit'],
      ['log=elsewhere', 'log'],
      ['cursor=', 'cursor'],
      [`cursor=${'A'.repeat(39)}`, 'cursor'],
      [`cursor=${'A'.repeat(65)}`, 'cursor'],
    ] as const)
      await expectRefused(await ask(`?${query}`), field)
    for (const account of ['%00', encodeURIComponent('a\nb'), 'x'.repeat(257)])
      await expectRefused(await ask('', { 'avow-subject-account': account }), 'avow-subject-account')
    expect((await ask('?from=2026-11-24T00:00:00Z&to=2026-11-24T00:00:00Z')).status).toBe(200)
  })
})

describe('one record', () => {
  test('comes with what opens it, and a proof against the checkpoint beside it', async () => {
    const { avow, answers, audit } = await recorded()
    for (const { id, subject } of answers.slice(0, 5)) {
      const { record, entry, proof, log } = await (await audit(`/records/${id}`)).json()
      expect(record).toMatchObject({ id, subject })
      const { size, root } = openCheckpoint(log.checkpoint, avow.vkey(SITE))
      const hashes = proof.map((text: string) => Buffer.from(text, 'base64'))
      verifyInclusion(leafHash(new TextEncoder().encode(entry)), record.index, size, root, hashes)
    }
  })

  test('that is written and whose head could not be escrowed is 503 until it is published, on no page before', async () => {
    let broken = false
    const escrowOf = (): Escrow => {
      const escrow = createMemoryEscrow()
      const put: Escrow['put'] = async (head) => {
        if (broken) throw new Error('the escrow is full')
        await escrow.put(head)
      }
      return { ...escrow, put }
    }
    const storage = createMemoryStorage()
    const { avow, submission, post, audit, consent } = await testWorld({
      storage,
      escrowOf: (log) => (log === SITE ? escrowOf() : createMemoryEscrow()),
    })
    broken = true
    const sent = submission()
    expect((await post(sent)).status).toBe(503)
    const refused = await audit(`/records/${sent.id}`)
    expect([refused.status, (await refused.json()).code]).toEqual([503, 'unavailable'])
    expect((await (await audit('/records')).json()).records).toEqual([])
    broken = false
    await consent()
    const { record, log } = await (await audit(`/records/${sent.id}`)).json()
    expect(record.index).toBeLessThan(openCheckpoint(log.checkpoint, avow.vkey(SITE)).size)
    expect((await (await audit('/records')).json()).records).toHaveLength(2)
  })
})
