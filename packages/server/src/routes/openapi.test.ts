/** The description says what is: its examples fit its schemas, and so do real answers. */
import { expect, test } from 'vitest'
import { REASON_LIMIT } from '../access/api-key.js'
import { PROBLEMS } from '../problem.js'
import { SITE, testWorld, uuidv7 } from '../testing.js'
import { examplesOf, mediaOf, readDescription } from './test-description.js'

async function world(options: Parameters<typeof testWorld>[0] = {}) {
  const made = await testWorld(options)
  return { ...made, ...(await readDescription(made.avow.app)) }
}

test('every body, asked or answered, has an example, and every example fits its own schema', async () => {
  const { operations, faultOf } = await world()
  const faults: string[] = []
  for (const [route, operation] of operations) {
    for (const [where, media] of mediaOf(route, operation)) {
      const examples = examplesOf(media)
      if (examples.length === 0) faults.push(`${where}: no example`)
      for (const example of examples) {
        const fault = faultOf(media.schema, example)
        if (fault !== null) faults.push(`${where}: ${fault}`)
      }
    }
    for (const { name, schema } of operation.parameters ?? []) {
      const { example } = schema as { example?: unknown }
      const fault = example === undefined ? null : faultOf(schema, example)
      if (fault !== null) faults.push(`${route} ${name}: ${fault}`)
    }
  }
  expect(faults).toEqual([])
})

test('what anybody may ask is answered as it is described, and so is what is refused', async () => {
  const { avow, operations, expectDescribed, submission, post, activity, state, receipt } = await world()
  const grant = submission({ choices: { analytics: true } })
  const asked = new Set<string>()
  const expectAnswer = async (route: string, status: number, response: Response | Promise<Response>) => {
    const answer = await response
    expect([route, answer.status]).toEqual([route, status])
    await expectDescribed(route, answer)
    asked.add(route)
  }
  const get = (path: string, headers: Record<string, string> = {}) => avow.app.request(path, { headers })
  await expectAnswer('POST /v1/consents', 201, post(grant))
  await expectAnswer('POST /v1/consents', 200, post(grant))
  await expectAnswer('POST /v1/consents', 409, post({ ...grant, action: 'reject-all', choices: { analytics: false } }))
  await expectAnswer('POST /v1/consents', 422, post({}))
  await expectAnswer('POST /v1/consents', 400, post('{'))
  await expectAnswer('POST /v1/activity', 200, activity(grant.secret))
  await expectAnswer('POST /v1/activity', 403, activity(grant.secret, { origin: 'https://elsewhere.example' }))
  await expectAnswer('GET /v1/state', 200, state(grant.secret))
  await expectAnswer('GET /v1/state', 404, state(null))
  await expectAnswer('GET /v1/state', 401, state(null, { 'avow-account': 'x' }))
  for (const accept of ['text/plain', 'application/ld+json', 'application/json'])
    await expectAnswer('GET /v1/receipts/{id}', 200, receipt(grant.id, grant.secret, { accept }))
  await expectAnswer('GET /v1/receipts/{id}', 404, receipt(uuidv7(0, 0), grant.secret))
  for (const name of ['avow.js', 'config', 'policy', 'notice']) {
    await expectAnswer(`GET /v1/sites/{site}/${name}`, 200, get(`/v1/sites/${SITE}/${name}`))
    await expectAnswer(`GET /v1/sites/{site}/${name}`, 404, get(`/v1/sites/nobody/${name}`))
    await expectAnswer(`GET /v1/sites/{site}/${name}`, 422, get(`/v1/sites/%3F/${name}`))
  }
  await expectAnswer('GET /log/{site}/checkpoint', 200, get(`/log/${SITE}/checkpoint`))
  await expectAnswer('GET /log/{site}/checkpoint', 422, get(`/log/${SITE}/checkpoint?nonsense=1`))
  await expectAnswer('GET /log/{site}/tile/{path}', 200, get(`/log/${SITE}/tile/0/000.p/4`))
  await expectAnswer('GET /log/{site}/tile/{path}', 404, get(`/log/${SITE}/tile/0/000.p/9`))
  await expectAnswer('GET /.well-known/gpc.json', 200, get('/.well-known/gpc.json'))
  await expectAnswer('GET /healthz', 200, get('/healthz'))
  await expectAnswer('GET /readyz', 200, get('/readyz'))
  // The others are in the matrix of who is let in where.
  const open = [...operations].filter(([, { security = [{}] }]) => security.every((one) => !('apiKey' in one)))
  for (const [route] of open) expect(asked).toContain(route)
})

test('every code that an answer may carry is described, and everywhere that the fault may be the server’s', async () => {
  const { operations } = await world()
  const codesOf = ({ responses }: { responses: object }) =>
    Object.values(responses).flatMap(({ content }) =>
      Object.keys(content?.['application/problem+json']?.examples ?? {}),
    )
  const described = [...operations.values()].map(codesOf)
  expect([...new Set(described.flat())].sort()).toEqual(Object.keys(PROBLEMS).sort())
  expect([...operations.keys()].filter((_, i) => !described[i]?.includes('internal'))).toEqual([])
})

test('a limit on how often is described where there is one, and nowhere else', async () => {
  // The world itself has asked once.
  const { avow, operations, expectDescribed } = await world({ rateLimit: 1 })
  for (const [route, { responses }] of operations) {
    const [method = '', path = ''] = route.split(' ')
    const response = await avow.app.request(path.replace('{site}', SITE), { method })
    expect([route, '429' in responses]).toEqual([route, response.status === 429])
    if (response.status === 429) await expectDescribed(route, response)
  }
})

test('a reason that the server takes is one that its description takes, however it is encoded', async () => {
  const { operations, faultOf, audit, key } = await world()
  const parameter = operations.get('GET /v1/audit/records')?.parameters?.find(({ name }) => name === 'Avow-Reason')
  const reason = encodeURIComponent('ä'.repeat(REASON_LIMIT))
  expect((await audit('/records', key, { 'avow-reason': reason })).status).toBe(200)
  expect(faultOf(parameter!.schema, reason)).toBeNull()
  expect((await audit('/records', key, { 'avow-reason': 'a'.repeat(REASON_LIMIT + 1) })).status).toBe(422)
})
