import { expect, test } from 'vitest'
import { createMemoryStorage } from '../../storage/memory.js'
import { SITE, testPolicy, testWorld } from '../../testing.js'
import { fingerprintOf } from '../../verify/fingerprint.js'
import type { Place } from './ground.js'
import { verifyPlace } from './test-proofs.js'

type World = Awaited<ReturnType<typeof testWorld>>

interface Logged extends Place {
  hash: string
  loggedAt: string
  language: string
}

interface Policy extends Logged {
  version: string
  material: boolean
  current: boolean
  notices: Logged[]
}

interface Epoch {
  log: string
  origin: string
  appended: boolean
  size: number
  checkpoint: string
  newestAt: string | null
  vkey: string
  fingerprint: string
}

const DAY_MS = 86_400_000

async function policiesIn({ audit }: World): Promise<Policy[]> {
  const response = await audit('/policies')
  expect(response.status).toBe(200)
  return (await response.json()).policies
}

async function logsIn({ audit }: World): Promise<Epoch[]> {
  const response = await audit('/log')
  expect(response.status).toBe(200)
  return (await response.json()).logs
}

test('every policy that was published is told with its notices, since when, and the entries that prove it', async () => {
  const storage = createMemoryStorage()
  const first = await testWorld({ storage })
  const since = first.clock.now
  const policy = testPolicy({ version: '2026-05', material: false })
  const world = await testWorld({ storage, policy, now: () => since + DAY_MS })
  const policies = await policiesIn(world)
  expect(policies.map(({ version, material, current }) => [version, material, current])).toEqual([
    ['2026-04', true, false],
    ['2026-05', false, true],
  ])
  expect(policies.map(({ loggedAt }) => Date.parse(loggedAt))).toEqual([since, since + DAY_MS])
  for (const { version, hash, notices, ...place } of policies) {
    const vkey = world.avow.vkey(SITE)
    expect(verifyPlace(place, vkey)).toMatchObject({ type: 'policy', version, hash })
    expect(notices.map(({ language }) => language).sort()).toEqual(Object.keys(policy.texts).sort())
    for (const notice of notices) {
      expect(verifyPlace(notice, vkey)).toMatchObject({ type: 'notice', hash: notice.hash })
      const words = await world.avow.app.request(`/v1/sites/${SITE}/notice?hash=${notice.hash}`)
      expect(await words.json()).toMatchObject({ hash: notice.hash, language: notice.language, policy: { version } })
    }
  }
})

test('a policy is proven by the log that had it first, and each log is told with its own key and checkpoint', async () => {
  const storage = createMemoryStorage()
  const before = await testWorld({ storage })
  await before.beginEpoch()
  const world = await testWorld({ storage, now: () => before.clock.now + DAY_MS })
  const logs = await logsIn(world)
  expect(logs.map(({ log, appended }) => [log, appended])).toEqual([
    [`${SITE}.e2`, true],
    [SITE, false],
  ])
  for (const { log, origin, size, checkpoint, vkey, fingerprint } of logs) {
    expect(await (await world.avow.app.request(`/log/${log}/checkpoint`)).text()).toBe(checkpoint)
    expect(checkpoint.split('\n').slice(0, 2)).toEqual([origin, `${size}`])
    expect(fingerprint).toBe(fingerprintOf(vkey))
  }
  expect(logs.map(({ newestAt }) => Date.parse(newestAt!))).toEqual([before.clock.now + DAY_MS, before.clock.now])
  const [policy] = await policiesIn(world)
  expect(policy).toMatchObject({ log: SITE, loggedAt: new Date(before.clock.now).toISOString() })
  expect(verifyPlace(policy!, logs[1]!.vkey)).toMatchObject({ type: 'policy', version: '2026-04' })
})

test('a parameter is refused by its name', async () => {
  const { audit } = await testWorld()
  for (const path of ['/policies', '/log']) {
    const response = await audit(`${path}?version=2026-04`)
    expect(response.status).toBe(422)
    expect(await response.json()).toMatchObject({ code: 'invalid-input', field: 'version' })
  }
})
