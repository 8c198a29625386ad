import { describe, expect, test } from 'vitest'
import { subjectOf } from '../consent/record.js'
import { createMemoryEscrow, type Escrow } from '../ledger/escrow.js'
import { parseProofFile } from '../ledger/proof-file.js'
import { createMemoryStorage } from '../storage/memory.js'
import { PAGE_ORIGIN, SITE, testWorld, uuidv7 } from '../testing.js'
import { verifyProofFile } from '../verify/proof.js'

type World = Awaited<ReturnType<typeof testWorld>>

/** A record, under an account where one is named: what was sent, and what it was answered with. */
async function record({ submission, post, signedIn }: World, account?: string, more: Record<string, unknown> = {}) {
  const sent = submission(more)
  const response = await post(sent, account === undefined ? {} : await signedIn(account))
  expect(response.status).toBe(201)
  return { ...sent, answer: await response.json() }
}

/** The receipt in a whole answer, and what it says once it is verified. */
async function receiptIn({ avow }: World, response: Response) {
  expect(response.status).toBe(200)
  const text = await response.text()
  return { text, ...verifyProofFile(text, avow.vkey(SITE)) }
}

async function expectProblem(response: Response, status: number, code: string, field?: string) {
  const text = await response.text()
  expect(JSON.parse(text)).toMatchObject({ status, code, ...(field === undefined ? {} : { field }) })
  return text
}

const opened = (receipt: string) => new TextDecoder().decode(parseProofFile(receipt).extra)

describe('a receipt that is asked for once more', () => {
  test('is, byte for byte, the one that the submission was answered with, as a file', async () => {
    const world = await testWorld()
    const { id, secret, answer } = await record(world)
    const response = await world.receipt(id, secret, { origin: PAGE_ORIGIN })
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'text/plain; charset=utf-8',
      'content-disposition': `attachment; filename="avow-receipt-${id}.tlog-proof"`,
      'cache-control': 'no-store',
      'access-control-allow-origin': PAGE_ORIGIN,
      vary: 'Origin',
    })
    expect(await response.text()).toBe(answer.receipt)
  })

  test('verifies and opens the same when the log has grown since, and is what a repeated submission gets', async () => {
    const world = await testWorld()
    const { answer, ...sent } = await record(world)
    for (let i = 0; i < 300; i++) await world.consent()
    const { text, index, size, evidence, identity } = await receiptIn(world, await world.receipt(sent.id, sent.secret))
    expect([index, size]).toEqual([answer.index, answer.index + 301])
    expect(evidence).toMatchObject({ action: 'accept-all', choices: { analytics: true } })
    expect(identity).toMatchObject({ id: sent.id, subject: subjectOf(SITE, sent.secret) })
    expect(opened(text)).toBe(opened(answer.receipt))
    expect(text).toBe((await (await world.post(sent)).json()).receipt)
  })

  test('is had for each record of a secret, by none but that secret', async () => {
    const world = await testWorld()
    const grant = await record(world)
    const { secret } = grant
    const more = { secret, action: 'withdraw', choices: { analytics: false }, previous: grant.id }
    const withdrawal = await record(world, undefined, more)
    for (const { id, action } of [grant, withdrawal]) {
      const { evidence, identity } = await receiptIn(world, await world.receipt(id, secret))
      expect([evidence?.action, identity?.id]).toEqual([action, id])
    }
  })

  test('never tells whether the id exists to whom it isn’t, whatever they show', async () => {
    const world = await testWorld()
    const { receipt, signedIn, submission, avow } = world
    const { id, secret, answer } = await record(world, 'ann')
    await record(world, 'bob')
    const stranger = submission().secret
    const unknown = await expectProblem(await receipt(uuidv7(1, 1), stranger), 404, 'not-found')
    for (const shown of [null, stranger, answer.subject, id, secret.slice(0, 21), `${secret}A`, ''])
      expect(await expectProblem(await receipt(id, shown), 404, 'not-found'), String(shown)).toBe(unknown)
    for (const headers of [await signedIn('bob'), await signedIn('nobody')])
      for (const shown of [null, stranger])
        expect(await expectProblem(await receipt(id, shown, headers), 404, 'not-found')).toBe(unknown)
    for (const authorization of [`Bearer ${secret}`, `avow ${secret}`, secret, 'Avow'])
      expect(await expectProblem(await receipt(id, null, { authorization }), 404, 'not-found')).toBe(unknown)
    // Its owner gets nothing under another id either.
    expect(await expectProblem(await receipt(uuidv7(1, 1), secret), 404, 'not-found')).toBe(unknown)
    const asked = `/v1/receipts/${id}?site=${SITE}`
    for (const more of [`&secret=${secret}`, `&subject=${answer.subject}`])
      expect((await avow.app.request(asked + more)).status).toBe(422)
    expect((await avow.privateApp.request(asked, { headers: { authorization: `Avow ${secret}` } })).status).toBe(404)
  })

  test('is told of no more, once its record was unlinked or erased, than of one that never was', async () => {
    const world = await testWorld()
    const { receipt, signedIn, storage } = world
    const unknown = await expectProblem(await receipt(uuidv7(1, 1), world.submission().secret), 404, 'not-found')
    const { log } = await storage.openLog(SITE, null)
    for (const grade of ['unlink', 'erase'] as const) {
      const { id, secret, answer } = await record(world, 'ann')
      await log.forget([{ index: answer.index, grade, secrets: new Uint8Array(0) }])
      for (const headers of [{}, await signedIn('ann')])
        expect(await expectProblem(await receipt(id, secret, headers), 404, 'not-found')).toBe(unknown)
    }
  })

  test('is refused by the field that is wrong, for a site that isn’t here, and to pages of others', async () => {
    const world = await testWorld()
    const { receipt, avow } = world
    const { id, secret } = await record(world)
    for (const wrong of ['x', id.toUpperCase(), id.slice(1), `${id}0`, '00000000-0000-4000-8000-000000000000'])
      await expectProblem(await receipt(wrong, secret), 422, 'invalid-input', 'id')
    await expectProblem(await receipt(id, secret, {}, ''), 422, 'invalid-input', 'site')
    await expectProblem(await avow.app.request(`/v1/receipts/${id}`), 422, 'invalid-input', 'site')
    await expectProblem(await receipt(id, secret, {}, 'nobody'), 404, 'not-found', 'site')
    await expectProblem(await receipt(id, secret, { origin: 'https://evil.example' }), 403, 'origin-refused')
  })

  test('of a record that no head covers yet is to be asked for later', async () => {
    let isDown = false
    // Each log has its own.
    const escrowOf = (): Escrow => {
      const escrow = createMemoryEscrow()
      const put: Escrow['put'] = async (head) => {
        if (isDown) throw new Error('the disk is full')
        await escrow.put(head)
      }
      return { ...escrow, put }
    }
    const world = await testWorld({ escrowOf })
    const sent = world.submission()
    isDown = true
    expect((await world.post(sent)).status).toBeGreaterThanOrEqual(500)
    const response = await world.receipt(sent.id, sent.secret)
    expect(response.headers.get('retry-after')).toBe('5')
    await expectProblem(response, 503, 'unavailable')
    isDown = false
    expect((await world.post(sent)).status).toBe(200)
    await receiptIn(world, await world.receipt(sent.id, sent.secret))
  })

  test('stands in the description of the API, as a text', async () => {
    const { avow } = await testWorld()
    const { paths } = await (await avow.app.request('/openapi.json')).json()
    const { get } = paths['/v1/receipts/{id}']
    expect(Object.keys(get.responses['200'].content)).toEqual(['text/plain', 'application/ld+json', 'application/json'])
    expect(Object.keys(get.responses)).toEqual(['200', '401', '403', '404', '406', '422', '429', '500', '503'])
  })
})

describe('the receipt of an account’s record', () => {
  test('is had by its token on any device, with who it was', async () => {
    const world = await testWorld()
    const { id, answer } = await record(world, 'ann@shop.example')
    const { text, identity } = await receiptIn(
      world,
      await world.receipt(id, null, await world.signedIn('ann@shop.example')),
    )
    expect(identity).toMatchObject({ id })
    expect(opened(text)).toContain('ann@shop.example')
    expect(text).toBe(answer.receipt)
  })

  test('is had by its secret alone, or beside another’s token, without who it was', async () => {
    const world = await testWorld()
    const { id, secret } = await record(world, 'ann@shop.example')
    for (const headers of [{}, await world.signedIn('bob')]) {
      const { text, identity, evidence } = await receiptIn(world, await world.receipt(id, secret, headers))
      expect([identity, evidence?.action]).toEqual([null, 'accept-all'])
      expect(opened(text)).not.toContain('ann@')
    }
  })

  test('is refused with a token that is bad, before anything is looked for', async () => {
    const world = await testWorld()
    const { id, secret } = await record(world, 'ann')
    const stale = await world.signedIn('ann')
    world.clock.now += 301_000
    for (const headers of [stale, { 'avow-account': 'x' }]) {
      const refused = await expectProblem(await world.receipt(id, secret, headers), 401, 'account-refused')
      expect(await expectProblem(await world.receipt(uuidv7(1, 1), null, headers), 401, 'account-refused')).toBe(
        refused,
      )
    }
  })
})

test('the receipt of a record in an earlier epoch is of that epoch’s log', async () => {
  const storage = createMemoryStorage()
  const first = await testWorld({ storage })
  const { id, secret, answer } = await record(first)
  await first.beginEpoch()
  const world = await testWorld({ storage })
  const receipt = await (await world.receipt(id, secret)).text()
  expect(receipt).toBe(answer.receipt)
  expect(verifyProofFile(receipt, first.avow.vkey(SITE)).origin).toBe(`shop.example/_avow/log/${SITE}`)
})

describe('by Accept a receipt is', () => {
  const accept = (type: string) => ({ accept: type })

  test.each(['*/*', 'text/plain', 'text/html,*/*;q=0.8', 'image/png', 'application/ld+json;q=0.2, text/plain'])(
    'the proof, for %s',
    async (type) => {
      const world = await testWorld()
      const { id, secret, answer } = await record(world)
      expect(await (await world.receipt(id, secret, accept(type))).text()).toBe(answer.receipt)
    },
  )

  test('JSON-LD after ISO/IEC TS 27560', async () => {
    const world = await testWorld()
    const { id, secret } = await record(world)
    const response = await world.receipt(id, secret, accept('application/ld+json'))
    expect(response.headers.get('content-type')).toBe('application/ld+json')
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(await response.json()).toMatchObject({
      '@type': 'dpv:ConsentRecord',
      'dct:identifier': id,
      'dpv:hasConsentStatus': [{ '@type': 'dpv:ConsentGiven' }],
      'dpv:hasConsentControl': { 'dpv:isExercisedAt': 'https://shop.example/account' },
    })
  })

  test('a Kantara Consent Receipt, which there is of what was granted alone', async () => {
    const world = await testWorld()
    const { id, secret } = await record(world)
    const response = await world.receipt(id, secret, accept('application/json'))
    expect(response.headers.get('content-type')).toBe('application/json')
    expect(await response.json()).toMatchObject({ version: 'KI-CR-v1.1.0', consentReceiptID: id })
    const denial = await record(world, undefined, { action: 'reject-all', choices: { analytics: false } })
    await expectProblem(
      await world.receipt(denial.id, denial.secret, accept('application/json')),
      406,
      'not-acceptable',
    )
  })

  test('nobody else’s in any form', async () => {
    const world = await testWorld()
    const { id } = await record(world)
    const { secret } = world.submission()
    for (const type of ['application/ld+json', 'application/json'])
      await expectProblem(await world.receipt(id, secret as string, accept(type)), 404, 'not-found')
  })

  test('in the words of a standard, without the account, which they have no place for', async () => {
    const world = await testWorld()
    const { id, secret } = await record(world, 'ann@shop.example')
    for (const type of ['application/ld+json', 'application/json'])
      expect(await (await world.receipt(id, secret, accept(type))).text()).not.toContain('ann@')
  })
})
