import { expect, test } from 'vitest'
import type { ActiveDay } from '../storage/storage.js'
import { LastActive } from './last-active.js'

const subject = (fill: number) => new Uint8Array(16).fill(fill)

/** A log that writes down what it is given, and fails while it is told to. */
function world() {
  const written: [subject: number, day: number][][] = []
  const due: (() => void)[] = []
  const warned: string[] = []
  const state = { isDown: false }
  const keeper = {
    log: 'shop',
    async keepActive(days: readonly ActiveDay[]) {
      if (state.isDown) throw new Error('the disk is full')
      written.push(days.map(({ subject, day }) => [subject[0]!, day]))
    },
  }
  const active = new LastActive({
    later(_, call) {
      due.push(call)
      return () => void due.splice(due.indexOf(call), 1)
    },
    warn: (line) => warned.push(line),
  })
  const see = (fill: number, day: number, isNew = false) => active.seen(keeper, { subject: subject(fill), day }, isNew)
  return { written, due, warned, state, active, keeper, see }
}

test('days that are seen close together are written together, a moment later', async () => {
  const { written, due, active, see } = world()
  for (const one of [1, 2, 1]) see(one, 20)
  expect([written, due.length]).toEqual([[], 1])
  due[0]!()
  await active.flush()
  expect(written).toEqual([
    [
      [1, 20],
      [2, 20],
    ],
  ])
  expect(due).toEqual([])
})

test('a day is written once, but anew beside a record of that moment, before which an erasure may lie', async () => {
  const { written, active, see } = world()
  see(1, 20)
  await active.flush()
  see(1, 20)
  await active.flush()
  expect(written).toHaveLength(1)
  see(1, 20, true)
  await active.flush()
  see(1, 21)
  await active.flush()
  expect(written.flat()).toEqual([
    [1, 20],
    [1, 20],
    [1, 21],
  ])
})

test('what can not be written is told, and written with what is seen next', async () => {
  const { written, due, warned, state, active, see } = world()
  state.isDown = true
  see(1, 20)
  due[0]!()
  await expect(active.flush()).rejects.toThrow('full')
  expect(warned).toEqual(['who was active is not written yet: the disk is full'])
  state.isDown = false
  see(2, 20)
  expect(due).toHaveLength(1)
  await active.flush()
  expect(written.flat().sort()).toEqual([
    [1, 20],
    [2, 20],
  ])
})

test('many are written in steps, and each beside its own log', async () => {
  const { written, active, keeper, see } = world()
  const other: number[] = []
  active.seen(
    { log: 'shop.e2', keepActive: async (days) => void other.push(days.length) },
    { subject: subject(1), day: 20 },
    false,
  )
  for (let i = 0; i < 600; i++) {
    const one = subject(7)
    new DataView(one.buffer).setUint16(0, i)
    active.seen(keeper, { subject: one, day: 20 }, false)
  }
  see(1, 20)
  await active.flush()
  expect(written.map((step) => step.length)).toEqual([512, 89])
  expect(other).toEqual([1])
})
