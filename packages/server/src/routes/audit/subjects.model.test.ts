/**
 * What the audit API says of somebody at any instant, and what their browser is told, against an oracle that is slow and
 * knows nothing of the rule: it has only what happened, and the sentences of the design.
 */
import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { subjectOf } from '../../consent/record.js'
import { createMemoryStorage } from '../../storage/memory.js'
import { SITE, testPolicy, testWorld, uuidv7 } from '../../testing.js'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const START = Date.parse('2026-01-05T10:20:30.400Z')
const INACTIVITY_DAYS = 30
const MAX_AGE_DAYS = 60
const PEOPLE = 3

const CHOICES = [
  ['reject-all', false, false],
  ['save', true, false],
  ['accept-all', true, true],
  ['withdraw', false, false],
] as const

type Step = { readonly wait: number } & (
  | {
      readonly kind: 'choose'
      who: number
      signedIn: boolean
      choice: number
      skew: number
      late: number
      version: number
    }
  | { readonly kind: 'link'; who: number; from: number }
  | { readonly kind: 'ping'; who: number }
  | { readonly kind: 'sweep' }
  | { readonly kind: 'policy'; material: boolean }
  | { readonly kind: 'erase'; which: number; whole: boolean }
  | { readonly kind: 'outage' }
)

/** A grant of everything, by the first of them, unless something else is said. */
const choose = (more: Partial<Extract<Step, { kind: 'choose' }>>): Step => ({
  ...{ kind: 'choose', wait: 0, who: 0, signedIn: false, choice: 2, skew: 0, late: 0, version: 0 },
  ...more,
})

const who = fc.nat(PEOPLE - 1)
const wait = fc.constantFrom(0, 1, 900, HOUR, 7 * HOUR, 26 * HOUR, 9 * DAY, 29 * DAY, 31 * DAY, 40 * DAY)
const skew = fc.constantFrom(0, 0, 0, -30, -5, -2, 3, 11, 30).map((hours) => hours * HOUR)
const late = fc.constantFrom(0, 0, 0, 0, HOUR, 8 * DAY, 35 * DAY)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      ...{ wait, kind: fc.constant('choose' as const), who, signedIn: fc.boolean(), choice: fc.nat(3), skew, late },
      version: fc.nat(5),
    }),
  },
  { weight: 2, arbitrary: fc.record({ wait, kind: fc.constant('link' as const), who, from: fc.nat(20) }) },
  { weight: 2, arbitrary: fc.record({ wait, kind: fc.constant('ping' as const), who }) },
  { weight: 5, arbitrary: fc.record({ wait, kind: fc.constant('sweep' as const) }) },
  { weight: 1, arbitrary: fc.record({ wait, kind: fc.constant('policy' as const), material: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({ wait, kind: fc.constant('erase' as const), which: fc.nat(20), whole: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ wait, kind: fc.constant('outage' as const) }) },
)

/** Something that was recorded, as the oracle remembers it. */
interface Fact {
  /** Tells what was recorded later. */
  readonly order: number
  readonly who: number
  readonly signedIn: boolean
  readonly kind: 'choice' | 'link' | 'lapse'
  readonly choices: Readonly<Record<string, boolean>>
  /** The browser's word, or the server's where that was a day off. */
  readonly decided: number
  readonly recorded: number
  readonly until: number
  /** Place among the published versions. */
  readonly version: number
}

interface Version {
  readonly material: boolean
  readonly since: number
}

const isYes = ({ choices }: Fact) => Object.values(choices).includes(true)

/** The design, sentence by sentence. */
function oracle(all: readonly Fact[], versions: readonly Version[], at: number) {
  // A grant counts at the earlier of decided and recorded, all else once it is recorded.
  const known: Fact[] = []
  for (const fact of all) {
    let from = fact.recorded
    if (fact.kind === 'choice' && isYes(fact) && fact.decided < from) from = fact.decided
    if (from <= at) known.push(fact)
  }
  const stateIn = (): [state: string, fact: Fact | null] => {
    // What is taken over, of which the choice is known, says nothing of its own.
    const isSameChoice = (link: Fact, other: Fact) =>
      link.kind === 'link' &&
      other.kind === 'choice' &&
      Math.floor(link.decided / 1000) === Math.floor(other.decided / 1000) &&
      JSON.stringify(link.choices) === JSON.stringify(other.choices)
    const said = known.filter((fact) => fact.kind !== 'lapse' && !known.some((other) => isSameChoice(fact, other)))
    // A grant undoes a denial only if it is later by both clocks.
    const grants: Fact[] = []
    for (const grant of said.filter(isYes)) {
      let isUndone = false
      for (const denial of said) {
        if (isYes(denial)) continue
        if (denial.order > grant.order || denial.decided >= grant.decided) isUndone = true
      }
      if (!isUndone) grants.push(grant)
    }
    if (grants.length === 0) {
      if (said.some((fact) => !isYes(fact))) return [known.some(isYes) ? 'withdrawn' : 'refused', null]
      return [known.some(({ kind }) => kind === 'lapse') ? 'lapsed' : 'undecided', null]
    }
    // A lapse says that nothing was known since a day ended. It ends what its own subject granted, or took over, before.
    const isOver = (fact: Fact) =>
      known.some(
        (lapse) =>
          lapse.kind === 'lapse' &&
          lapse.who === fact.who &&
          (lapse.order > fact.order || lapse.decided >= fact.decided) &&
          Math.min(fact.decided, fact.recorded) <= lapse.decided,
      )
    const lives = (grant: Fact) => !isOver(grant) || known.some((link) => isSameChoice(link, grant) && !isOver(link))
    const living = grants.filter(lives)
    let newest: Fact | null = null
    for (const grant of living.length > 0 ? living : grants)
      if (newest === null || grant.order > newest.order) newest = grant
    const { version, until } = newest!
    // A material version asks everybody again who agreed to an earlier one.
    if (versions.some(({ material, since }, place) => material && place > version && since <= at))
      return ['superseded', newest]
    if (living.length === 0 || at >= until) return ['lapsed', newest]
    return ['granted', newest]
  }
  const [state, fact] = stateIn()
  return { state, choices: state === 'granted' ? fact!.choices : null, known: known.length, fact }
}

/** The grant of somebody that nothing more being known of them would end. */
function openGrant(facts: readonly Fact[], now: number): Fact | null {
  // Whatever the policies and the term say.
  const timeless = facts.map((fact) => ({ ...fact, until: Number.POSITIVE_INFINITY }))
  const { state, fact } = oracle(timeless, [], now)
  return state === 'granted' ? (facts.find(({ order }) => order === fact!.order) ?? null) : null
}

const policyOf = (version: number, material: boolean) => {
  const { categories, ...policy } = testPolicy()
  const maps = { ...categories[1]!, id: 'maps' }
  return testPolicy({
    ...policy,
    ...{ version: `v${version}`, material, inactivityDays: INACTIVITY_DAYS, maxAgeDays: MAX_AGE_DAYS },
    categories: [...categories, maps],
  })
}

/** Lives through a history, and asks everything of it. */
async function live(steps: readonly Step[]): Promise<void> {
  const storage = createMemoryStorage()
  let time = START
  const open = (version: number, material: boolean) =>
    testWorld({ storage, policy: policyOf(version, material), now: () => time })
  let world = await open(0, true)
  const versions: (Version & { readonly cited: object })[] = []
  const publish = (material: boolean) => {
    const { policy, hash, language } = world.notice
    versions.push({ material, since: time, cited: { policy, notice: { hash, language } } })
  }
  publish(true)

  const secrets = Array.from({ length: PEOPLE }, () => randomBytes(16).toString('base64url'))
  let facts: Fact[] = []
  const indexes = new Map<number, number>()
  const lastDay = new Map<number, number>()
  /** Days on which a server was there. */
  const served = new Set([Math.floor(START / DAY)])
  const instants = new Set<number>([START - 1, START])
  let order = 0
  const of = (person: number) => facts.filter((fact) => fact.who === person)
  const seen = (person: number) => {
    if (openGrant(of(person), time)) lastDay.set(person, Math.floor(time / DAY))
  }

  const post = async (person: number, signedIn: boolean, more: Record<string, unknown>) => {
    world.clock.now = time
    const body = world.submission({ id: uuidv7(time, 1000 + order), secret: secrets[person], ...more })
    const response = await world.post(body, signedIn ? await world.signedIn('ann') : {})
    expect(response.status).toBe(201)
    return response.json()
  }
  const record = async (fact: Omit<Fact, 'order' | 'recorded' | 'until'>, more: Record<string, unknown>) => {
    const answer = await post(fact.who, fact.signedIn, more)
    indexes.set(order, answer.index)
    facts.push({ ...fact, order, recorded: time, until: fact.decided + MAX_AGE_DAYS * DAY })
    order++
    seen(fact.who)
    expect(answer.state).toBe(oracle(of(fact.who), versions, time).state)
  }

  /** On each day of the term, and today. */
  const wasThere = () => {
    const today = Math.floor(time / DAY)
    return Array.from({ length: INACTIVITY_DAYS + 1 }, (_, ago) => today - ago).every((day) => served.has(day))
  }

  /** Answers how many have lapsed. */
  const lapse = (): number => {
    let due = 0
    const today = Math.floor(time / DAY)
    for (const [person, kept] of [...lastDay]) {
      if (today - kept < INACTIVITY_DAYS + 1 || !wasThere()) continue
      lastDay.delete(person)
      const grant = openGrant(of(person), time)
      if (!grant) continue
      // What came later and didn't stand then is known of them all the same, once it stands.
      const recorded = of(person).flatMap((fact) => (fact.kind === 'lapse' ? [] : [Math.floor(fact.recorded / DAY)]))
      const day = Math.max(kept, ...recorded)
      if (today - day < INACTIVITY_DAYS + 1) {
        lastDay.set(person, day)
        continue
      }
      const { choices, signedIn, version, until } = grant
      const ended = Object.keys(choices).filter((category) => choices[category])
      const none = Object.fromEntries(ended.map((category) => [category, false]))
      facts.push({
        ...{ who: person, signedIn, kind: 'lapse', choices: none, decided: (day + 1) * DAY, recorded: time },
        ...{ until, version, order: order++ },
      })
      due++
    }
    return due
  }

  const { log } = await storage.openLog(SITE, null)
  for (const taken of steps) {
    const days = [time, time + taken.wait].map((at) => Math.floor(at / DAY))
    time += taken.wait
    for (let day = taken.kind === 'outage' ? days[1]! : days[0]!; day <= days[1]!; day++) {
      served.add(day)
      await log.keepServed(day)
    }
    switch (taken.kind) {
      case 'choose': {
        const [action, analytics, maps] = CHOICES[taken.choice]!
        const claimed = time - taken.late + taken.skew
        const version = taken.version % versions.length
        await record(
          {
            ...{ who: taken.who, signedIn: taken.signedIn, kind: 'choice', choices: { analytics, maps }, version },
            // Nobody agreed to what was not there yet.
            decided: Math.abs(taken.skew) > DAY || claimed < versions[version]!.since - DAY ? time : claimed,
          },
          {
            ...{ action, choices: { maps, analytics }, ageMs: taken.late, ...versions[version]!.cited },
            decidedAt: new Date(claimed).toISOString(),
          },
        )
        instants.add(claimed)
        break
      }
      case 'link': {
        const from = facts.filter(({ kind }) => kind === 'choice')
        const { choices, decided, version } = from[taken.from % Math.max(from.length, 1)] ?? {}
        if (choices === undefined) break
        const second = Math.floor(decided! / 1000) * 1000
        const counted = second - time > DAY ? time : second
        await record(
          { who: taken.who, signedIn: true, kind: 'link', choices, decided: counted, version: version! },
          {
            ...{ action: 'link', choices, offered: [], layer: 'api', ageMs: 0, ...versions[version!]!.cited },
            decidedAt: new Date(second).toISOString(),
          },
        )
        break
      }
      case 'ping': {
        seen(taken.who)
        const { state } = await (await world.activity(secrets[taken.who]!)).json()
        expect(state).toBe(oracle(of(taken.who), versions, time).state)
        break
      }
      case 'outage':
      case 'sweep': {
        const due = lapse()
        expect(await world.avow.recordLapses()).toEqual({ [SITE]: due })
        break
      }
      case 'policy': {
        await world.avow.close()
        world = await open(versions.length, taken.material)
        // As a start does by itself.
        await world.avow.recordLapses()
        lapse()
        publish(taken.material)
        break
      }
      case 'erase': {
        // Those that the oracle knows the place of: no lapse.
        const places = facts.filter((fact) => indexes.has(fact.order))
        const gone = places[taken.which % Math.max(places.length, 1)]
        if (!gone) break
        await world.erase(taken.whole ? 'erase' : 'unlink', indexes.get(gone.order)!)
        facts = facts.filter((fact) => fact !== gone)
        if (of(gone.who).length === 0) lastDay.delete(gone.who)
        break
      }
    }
    instants.add(time)
  }

  for (const { until } of facts) instants.add(until)
  const asked = [...instants].flatMap((at) => [at - 1, at, at + 1]).filter((at) => at <= time)
  const expectSame = async (path: string, headers: Record<string, string>, about: readonly Fact[]) => {
    for (const at of [...new Set(asked), null]) {
      const query = at === null ? '' : `?asOf=${new Date(at).toISOString()}`
      const response = await world.audit(`/subjects${path}${query}`, world.key, headers)
      if (about.length === 0) {
        expect(response.status).toBe(404)
        return
      }
      const { state, choices, records } = await response.json()
      const { fact: _, ...told } = oracle(about, versions, at ?? time)
      const when = at === null ? 'now' : new Date(at).toISOString()
      expect({ when, state, choices, known: records.length }).toEqual({ when, ...told })
    }
  }
  for (const [person, secret] of secrets.entries()) {
    await expectSame(`/${subjectOf(SITE, secret)}`, {}, of(person))
    const own = await world.state(secret)
    expect(own.status).toBe(of(person).length === 0 ? 404 : 200)
    if (own.status === 200) expect((await own.json()).state).toBe(oracle(of(person), versions, time).state)
  }
  const account = facts.filter(({ signedIn }) => signedIn)
  await expectSame('', { 'avow-subject-account': 'ann' }, account)
  world.clock.now = time
  const shared = await world.state(null, await world.signedIn('ann'))
  expect((await shared.json()).state).toBe(oracle(account, versions, time).state)
  await world.avow.close()
}

/** What chance seldom comes by. */
const RARE: readonly (readonly Step[])[] = [
  // A denial and a grant of the same instant.
  [choose({ choice: 0 }), choose({ choice: 2 })],
  // Of two devices of an account the one that granted last is not heard of any more.
  [
    choose({ signedIn: true }),
    choose({ signedIn: true, who: 1, wait: HOUR }),
    { kind: 'ping', who: 0, wait: 29 * DAY },
    { kind: 'sweep', wait: 9 * DAY },
  ],
  // One took over what the other granted, and is heard of.
  [
    choose({ signedIn: true }),
    { kind: 'link', who: 1, from: 0, wait: 9 * DAY },
    { kind: 'sweep', wait: 29 * DAY },
    { kind: 'sweep', wait: 9 * DAY },
  ],
  // What has lapsed is not taken over as if it had just been chosen.
  [choose({}), { kind: 'sweep', wait: 40 * DAY }, { kind: 'link', who: 0, from: 0, wait: HOUR }],
  [choose({}), { kind: 'sweep', wait: 40 * DAY }, choose({ wait: HOUR, late: 35 * DAY })],
  // A grant that a denial kept from standing, until that was erased.
  [
    ...[choose({}), choose({ choice: 0, wait: 5 * DAY }), choose({ wait: 5 * DAY, late: 8 * DAY })],
    { kind: 'erase', which: 1, whole: true, wait: 2 * DAY },
    ...[20, 9, 2].map((days): Step => ({ kind: 'sweep', wait: days * DAY })),
  ],
  // Nobody was there to be told for longer than the term.
  [choose({}), { kind: 'outage', wait: 40 * DAY }, { kind: 'sweep', wait: 29 * DAY }, { kind: 'sweep', wait: 2 * DAY }],
]

test('at every instant of any history the answers are those of the design’s sentences', async () => {
  await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 10 }), live), {
    numRuns: Number(process.env.AVOW_MODEL_RUNS ?? 60),
    examples: RARE.map((steps): [Step[]] => [[...steps]]),
  })
}, 600_000)
