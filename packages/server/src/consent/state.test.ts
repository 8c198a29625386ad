import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { countedAt, decisive, judge, lasting, stateOf } from './state.js'

const HOUR = 3_600_000
const at = (ms: number) => new Date(ms).toISOString()

/** A record decided and recorded at these hours. */
const record = (
  index: number,
  granted: boolean,
  recorded: number,
  decided = recorded,
  clock: 'ok' | 'implausible' = 'ok',
  action: 'save' | 'link' | 'lapse' = 'save',
  subject = 'ann',
) => ({
  index,
  identity: { subject },
  evidence: {
    action,
    choices: { analytics: granted },
    decidedAt: at(decided * HOUR),
    recordedAt: at(recorded * HOUR),
    clock,
    policy: { version: '1', hash: 'h' },
    validUntil: at((decided + 24 * 180) * HOUR),
  },
})

const link = (index: number, granted: boolean, recorded: number, decided: number) =>
  record(index, granted, recorded, decided, 'ok', 'link')

describe('which record decides', () => {
  test('a late grant never overtakes a denial that was decided after it', () => {
    fc.assert(
      fc.property(fc.nat(100), fc.nat(100), fc.nat(100), (decided, denied, delay) => {
        fc.pre(decided < denied)
        const records = [record(0, false, denied), record(1, true, denied + delay, decided)]
        expect(decisive(records)?.index).toBe(0)
      }),
    )
  })

  test('a clock that runs ahead never makes a grant beat a denial recorded after it', () => {
    fc.assert(
      fc.property(fc.nat(100), fc.nat(20), fc.nat(100), (recorded, ahead, later) => {
        const records = [record(0, true, recorded, recorded + ahead), record(1, false, recorded + later)]
        expect(decisive(records)?.index).toBe(1)
      }),
    )
  })

  test('a clock that runs behind does not keep anybody from granting again', () => {
    const behind = (index: number, granted: boolean, hour: number) => record(index, granted, hour, hour - 2)
    expect(decisive([behind(0, true, 10), behind(1, false, 11), behind(2, true, 12)])?.index).toBe(2)
  })

  test('a denial and a grant of the same instant are a denial', () => {
    expect(decisive([record(0, false, 5), record(1, true, 5)])?.index).toBe(0)
  })

  test('of a grant whose clock is implausible the time of recording counts', () => {
    expect(decisive([record(0, false, 5), record(1, true, 10, 4, 'implausible')])?.index).toBe(1)
  })

  test('what another device took over is no later than what it took over, however late it arrives', () => {
    // Taken over at 6, while that device was offline from 6 to 20.
    expect(decisive([record(0, true, 5), record(1, false, 10), link(2, true, 20, 5)])?.index).toBe(1)
    // Also where the clock that withdrew runs hours behind.
    expect(decisive([record(0, true, 5), record(1, false, 10, 2), link(2, true, 20, 5)])?.index).toBe(1)
    // And a denial that was taken over does not undo the grant that came after it.
    expect(decisive([record(0, false, 5), record(1, true, 10), link(2, false, 20, 5)])?.index).toBe(1)
    // Nor a grant of less by an older grant of more.
    expect(decisive([record(0, true, 5), record(1, true, 10), link(2, true, 20, 5)])?.index).toBe(1)
  })

  test('a choice that was made signed out, of which the account has no other record, counts by itself', () => {
    expect(decisive([link(0, true, 20, 5)])?.index).toBe(0)
    expect(decisive([record(0, false, 10), link(1, true, 20, 5)])?.index).toBe(0)
    expect(decisive([record(0, false, 10), link(1, true, 20, 12)])?.index).toBe(1)
    expect(decisive([record(0, true, 10), link(1, false, 20, 5)])?.index).toBe(1)
  })

  test('taking over changes nothing of what counts, in whatever order it arrives', () => {
    const any = fc.record({ granted: fc.boolean(), recorded: fc.nat(50), decided: fc.nat(50) })
    fc.assert(
      fc.property(fc.array(any, { minLength: 1, maxLength: 8 }), fc.nat(7), fc.nat(50), (histories, which, delay) => {
        const records = histories.map(({ granted, recorded, decided }, index) =>
          record(index, granted, recorded, decided),
        )
        const { granted, recorded, decided } = histories[which % histories.length]!
        const taken = link(records.length, granted, recorded + delay, decided)
        expect(decisive([...records, taken])).toBe(decisive(records))
      }),
    )
  })

  test('the order in which records are looked at changes nothing', () => {
    const any = fc.record({ granted: fc.boolean(), recorded: fc.nat(50), decided: fc.nat(50) })
    fc.assert(
      fc.property(fc.array(any, { minLength: 1, maxLength: 8 }), (histories) => {
        const records = histories.map(({ granted, recorded, decided }, index) =>
          record(index, granted, recorded, decided),
        )
        expect(decisive([...records].reverse())).toBe(decisive(records))
      }),
    )
  })
})

describe('the state of a subject', () => {
  const now = 1000 * HOUR
  test('nobody asked is undecided', () => expect(stateOf([], ['1'], now)).toBe('undecided'))
  test('a first no is a refusal', () => expect(stateOf([record(0, false, 1)], ['1'], now)).toBe('refused'))
  test('a no after a yes is a withdrawal', () => {
    expect(stateOf([record(0, true, 1), record(1, false, 2)], ['1'], now)).toBe('withdrawn')
  })
  test('a yes after a withdrawal is a grant', () => {
    expect(stateOf([record(0, true, 1), record(1, false, 2), record(2, true, 3)], ['1'], now)).toBe('granted')
  })
  test('a yes under a policy that no longer stands is superseded', () => {
    expect(stateOf([record(0, true, 1)], ['2'], now)).toBe('superseded')
  })
  test('a yes lapses at its end, not a moment before', () => {
    const end = (1 + 24 * 180) * HOUR
    expect(stateOf([record(0, true, 1)], ['1'], end - 1)).toBe('granted')
    expect(stateOf([record(0, true, 1)], ['1'], end)).toBe('lapsed')
  })
})

describe('a lapse', () => {
  const lapse = (index: number, recorded: number, since: number, subject = 'ann') =>
    record(index, false, recorded, since, 'ok', 'lapse', subject)

  test('ends what is taken over after it and was chosen before', () => {
    expect(told([record(0, true, 1), lapse(1, 800, 24), link(2, true, 900, 1)])[0]).toBe('lapsed')
  })

  test('doesn’t end a grant that was recorded while it was being made, nor any that came after the day it tells of', () => {
    for (const recorded of [800, 500])
      expect(told([record(0, true, 1), record(1, true, recorded), lapse(2, 800, 24)])).toEqual([
        ...['granted', 'grant-stands', [1]],
      ])
  })
  const of = (subject: string, index: number, granted: boolean, recorded: number, decided = recorded) =>
    record(index, granted, recorded, decided, 'ok', 'save', subject)
  const told = (records: Parameters<typeof stateOf>[0], accepts = ['1']) => {
    const { state, reason, records: grounds } = judge(records, accepts, 900 * HOUR)
    return [state, reason, grounds.map(({ index }) => index)]
  }

  test('ends what was granted before, and rests on the grant, too', () => {
    const records = [record(0, true, 1), lapse(1, 800, 24)]
    expect(told(records)).toEqual(['lapsed', 'no-activity', [1, 0]])
    expect([decisive(records), lasting(records)]).toEqual([null, null])
  })

  test('is undone by a grant that was decided since, though by a clock that runs behind or recorded late', () => {
    expect(told([record(0, true, 1), lapse(1, 800, 24), record(2, true, 801, 30)])).toEqual([
      'granted',
      'grant-stands',
      [2],
    ])
    // Of before that it says itself that nothing was heard since.
    expect(told([record(0, true, 1), lapse(1, 800, 24), record(2, true, 801, 20)])[0]).toBe('lapsed')
  })

  test('is no denial: a withdrawal after it is one, and a refusal before it stays what it was', () => {
    expect(told([record(0, true, 1), lapse(1, 800, 24), record(2, false, 810)])).toEqual([
      'withdrawn',
      'denied-after-grant',
      [2, 0],
    ])
    // On another device of the account: who refused isn't asked again.
    expect(told([of('bob', 0, true, 1), of('ann', 1, false, 2), lapse(2, 800, 24, 'bob')])[0]).toBe('withdrawn')
  })

  test('of one device ends nothing that another one granted, or took over', () => {
    const [ann, bob] = [of('ann', 0, true, 1), of('bob', 1, true, 2)]
    expect(told([ann, bob, lapse(2, 800, 24, 'bob')])).toEqual(['granted', 'grant-stands', [0]])
    const taken = { ...link(1, true, 500, 1), identity: { subject: 'bob' } }
    expect(told([ann, taken, lapse(2, 800, 24)])).toEqual(['granted', 'grant-stands', [0]])
    expect(told([ann, taken, lapse(2, 800, 24), lapse(3, 850, 501, 'bob')])[0]).toBe('lapsed')
  })

  test('is told after a policy that was replaced, before a term that is over', () => {
    const records = [record(0, true, 1), lapse(1, 800, 24)]
    expect(told(records, ['2'])).toEqual(['superseded', 'policy-replaced', [0]])
    expect(judge(records, ['1'], 9000 * HOUR).reason).toBe('no-activity')
    expect(judge([record(0, true, 1)], ['1'], 9000 * HOUR).reason).toBe('too-old')
  })

  test('whose grant was erased is a lapse all the same', () => {
    expect(told([lapse(0, 800, 24)])).toEqual(['lapsed', 'no-activity', [0]])
  })
})

describe('what counted at an instant', () => {
  const from = (one: ReturnType<typeof record>) => {
    const hours = Array.from({ length: 60 }, (_, hour) => hour)
    return hours.find((hour) => countedAt([one], hour * HOUR).length > 0)
  }
  test('a grant does since it was decided, or recorded by a clock that runs ahead', () => {
    expect(from(record(0, true, 20, 5))).toBe(5)
    expect(from(record(0, true, 20, 25))).toBe(20)
    expect(from(record(0, true, 40, 5, 'implausible'))).toBe(40)
  })
  test('a denial does since it was recorded, and what was taken over, too', () => {
    expect(from(record(0, false, 20, 5))).toBe(20)
    expect(from(link(0, true, 20, 5))).toBe(20)
  })
})
