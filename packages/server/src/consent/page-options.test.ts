import { expect, test } from 'vitest'
import { testPolicy } from '../testing.js'
import { parsePageOptions } from './page-options.js'

const parse = (input: object, publicUrl = 'https://dash.shop.example/_avow') =>
  parsePageOptions('shop', input, testPolicy(), publicUrl)

test('what is not set is not there, and false is the same as not set', () => {
  expect(parse({ site: 'shop', origins: [] })).toEqual({})
  expect(parse({ refusalId: false, page: false, button: false, domain: undefined })).toEqual({})
  const set = { refusalId: true, page: true, button: true }
  expect(parse(set)).toEqual(set)
})

test('a value of another form is refused by its key', () => {
  const wrong: [input: object, message: RegExp][] = [
    [{ gpc: 'obey' }, /^sites\.shop\.gpc: expected "ask"/],
    [{ reload: 'auto' }, /^sites\.shop\.reload: expected "never"/],
    [{ refusalId: 'yes' }, /^sites\.shop\.refusalId: expected true or false/],
    [{ page: 1 }, /^sites\.shop\.page: /],
    [{ button: 'yes' }, /^sites\.shop\.button: expected true or false/],
    [{ layout: 'modal' }, /^sites\.shop\.layout: expected one of box, box-end, box-center, bar, bar-top/],
    [{ layout: '' }, /^sites\.shop\.layout: /],
    [{ consentMode: [] }, /^sites\.shop\.consentMode: /],
    [{ consentMode: { analytics: [] } }, /^sites\.shop\.consentMode\.analytics: /],
    [{ consentMode: { analytics: ['ad_storage'] } }, /^sites\.shop\.consentMode\.analytics\.0: .*always denied/],
  ]
  for (const [input, message] of wrong) expect(() => parse(input)).toThrow(message)
})

test('each layout has its name, and the one that needs none is not there', () => {
  for (const layout of ['box-end', 'box-center', 'bar', 'bar-top']) expect(parse({ layout })).toEqual({ layout })
  expect(parse({ layout: 'box' })).toEqual({})
})

test('consent mode switches only categories that visitors are asked about', () => {
  const consentMode = { analytics: ['analytics_storage'] }
  expect(parse({ consentMode })).toEqual({ consentMode })
  for (const category of ['ads', 'necessary'])
    expect(() => parse({ consentMode: { [category]: ['analytics_storage'] } })).toThrow(
      `sites.shop.consentMode.${category}: expected a category of the policy: analytics`,
    )
})

test('a choice is shared only under a domain that the public address is under', () => {
  for (const domain of ['shop.example', 'dash.shop.example']) expect(parse({ domain })).toEqual({ domain })
  expect(parse({ domain: 'shop.example' }, 'https://shop.example/_avow')).toEqual({ domain: 'shop.example' })
  for (const domain of ['other.example', 'hop.example', 'www.dash.shop.example'])
    expect(() => parse({ domain })).toThrow(/^sites\.shop\.domain: expected one that dash\.shop\.example/)
  for (const domain of ['example', '.shop.example', 'Shop.example', 'shop.example:443', 'https://shop.example', '', 5])
    expect(() => parse({ domain })).toThrow(/^sites\.shop\.domain: expected a domain in lower case/)
  expect(() => parse({ domain: '127.0.0.1' }, 'http://127.0.0.1:8787')).toThrow(/^sites\.shop\.domain/)
})
