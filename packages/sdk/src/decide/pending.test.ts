/** What waits to be sent. */
import { beforeEach, expect, test } from 'vitest'
import { createPending, type Kept, toJson } from './pending.js'

const kept = (id: string) => ({ id }) as Kept
const ids = (list: Kept[]) => list.map(({ id }) => id)

beforeEach(() => localStorage.clear())

test('two tabs keep and remove without overwriting one another, oldest first', () => {
  const [one, two] = [createPending(localStorage, 'avow:a:0'), createPending(localStorage, 'avow:a:0')]
  two.add(kept('2'))
  one.add(kept('1'))
  expect(ids(one.list())).toEqual(['1', '2'])
  one.remove('2')
  expect(ids(createPending(localStorage, 'avow:a:0').list())).toEqual(['1'])
})

test('the next page finds them, another site does not, and what is not ours is left alone', () => {
  createPending(localStorage, 'avow:a:0').add(kept('1'))
  localStorage.setItem('avow:a:0x', '{broken')
  expect(ids(createPending(localStorage, 'avow:a:0').list())).toEqual(['1'])
  expect(ids(createPending(localStorage, 'avow:b:0').list())).toEqual([])
})

test('without storage they live as long as the page', () => {
  const pending = createPending(null, 'avow:a:0')
  pending.add(kept('1'))
  expect(ids(pending.list())).toEqual(['1'])
  pending.remove('1')
  expect(pending.list()).toEqual([])
})

test('the twenty newest are kept', () => {
  const pending = createPending(localStorage, 'avow:a:0')
  for (let index = 10; index < 40; index++) pending.add(kept(`${index}`))
  expect([pending.list().length, ids(pending.list())[0]]).toEqual([20, '20'])
})

test('a library that gives arrays a toJSON changes nothing of what is kept, and keeps its own', () => {
  const arrays = Array.prototype as { toJSON?: unknown }
  const toJSON = () => 'theirs'
  arrays.toJSON = toJSON
  try {
    expect(toJson({ offered: ['save'] })).toBe('{"offered":["save"]}')
    expect(arrays.toJSON).toBe(toJSON)
  } finally {
    delete arrays.toJSON
  }
})
