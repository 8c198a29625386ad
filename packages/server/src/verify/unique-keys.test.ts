/** A name twice in an object is found, however it is written and wherever it stands; what only looks like one is not. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { VerificationError } from '../merkle/verification-error.js'
import { parseUniqueJson } from './unique-keys.js'

test.each([
  '{"a":1,"a":2}',
  '{"a":1,"b":2,"a":1}',
  '{ "a" : 1 ,\n\t"a" : 1 }',
  String.raw`{"a":1,"\u0061":2}`,
  String.raw`{"\u00E9":1,"é":2}`,
  String.raw`{"\"":1,"\u0022":2}`,
  String.raw`{"\\":1,"\u005c":2}`,
  '{"":1,"":2}',
  '{"__proto__":1,"__proto__":2}',
  '{"a":{"b":1,"b":2}}',
  '{"a":{"a":1},"a":2}',
  '[{"a":[],"a":[]}]',
  '{"a":[{"b":1},{"b":1,"c":{},"b":1}]}',
  '{"a":"}","a":"{"}',
  String.raw`{"a":"\"","a":1}`,
  String.raw`{"a":"\\","a":1}`,
  '{"a":[1,"a",2],"a":null}',
])('a name twice is refused: %s', (json) => {
  expect(() => parseUniqueJson(json)).toThrow(VerificationError)
  expect(() => parseUniqueJson(json)).toThrow('the same name twice')
})

test.each([
  '{"a":{"a":{"a":[{"a":1},{"a":2}]}},"b":{"a":1}}',
  '{"a":"a","b":"a","c":["a","a",{"a":"a"}]}',
  '["a","a"]',
  String.raw`{"a":"{\"b\":1,\"b\":2}","b":"\\","c":"\\\""}`,
  '{"a":",","b":"a,","c":"{","d":"[a"}',
  '{"a":1,"A":2,"á":3,"a\u0301":4}',
  ' "a" ',
  'null',
  '7.5e-3',
])('what is no such thing is read as ever: %s', (json) => {
  expect(parseUniqueJson(json)).toEqual(JSON.parse(json))
})

test('whatever is written from a value has each name once, and with one of its objects doubled it has not', () => {
  const value = fc.jsonValue({ maxDepth: 5 })
  fc.assert(
    fc.property(fc.string(), value, fc.integer({ min: 0, max: 2 }), (name, inner, space) => {
      const json = JSON.stringify(inner, null, space)
      expect(parseUniqueJson(json)).toEqual(JSON.parse(json))
      const key = JSON.stringify(name)
      expect(() => parseUniqueJson(`{${key}:${json},${key}:${json}}`)).toThrow(VerificationError)
      expect(() => parseUniqueJson(`[${json},{"x${name.length}":${json},"x${name.length}":0}]`)).toThrow(
        VerificationError,
      )
    }),
  )
})

test('what is no JSON is the parser’s to refuse', () => {
  for (const text of ['', '{', '{"a":1,"a":2', '\ufeff{}', "{'a':1}"])
    expect(() => parseUniqueJson(text)).toThrow(SyntaxError)
})
