import { labels } from '@avow/sdk/labels'
import { describe, expect, test } from 'vitest'
import { InputError } from '../problem.js'
import { testPolicy } from '../testing.js'
import { hashDocument } from './document.js'
import {
  createNotice,
  directionOf,
  noticesOf,
  type Policy,
  PolicyBook,
  parsePolicy,
  publication,
  unpublished,
} from './policy.js'

const policy = testPolicy()

/** Optional categories like the policy's own, so many more, with ids of so many characters. */
const optional = (policy: Record<string, any>, count: number, length: number) =>
  Array.from({ length: count }, (_, i) => ({ ...policy.categories[1], id: `c${i}`.padEnd(length, 'x') }))

describe('a policy file', () => {
  test('may have eight optional categories with the longest ids there are, or fifteen of 14', () => {
    for (const [count, length] of [
      [8, 32],
      [15, 14],
    ] as const) {
      const long = testPolicy({ cookies: [policy.cookies[0]!] })
      Object.assign(long, { categories: [policy.categories[0], ...optional(policy, count, length)] })
      expect(parsePolicy(long).categories).toHaveLength(count + 1)
    }
  })

  test('that is right is taken as it is', () => expect(parsePolicy(structuredClone(policy))).toEqual(policy))

  const mistakes: [why: string, change: (policy: Record<string, any>) => unknown, field: string][] = [
    ['an unknown field', (p) => Object.assign(p, { colour: 'red' }), 'policy.'],
    ['no version', (p) => delete p.version, 'policy.version'],
    ['a version that could not stand in a cookie', (p) => Object.assign(p, { version: 'a;b' }), 'policy.version'],
    ['no necessary category', (p) => p.categories.shift(), 'policy.categories'],
    ['two required categories', (p) => Object.assign(p.categories[1], { required: true }), 'policy.categories'],
    ['a category twice', (p) => p.categories.push(p.categories[1]), 'policy.categories'],
    [
      'categories of which a refusal would be longer than a grant',
      (p) => p.categories.push(...optional(p, 9, 31)),
      'policy.categories',
    ],
    [
      'a category that every object has',
      (p) => Object.assign(p.categories[1], { id: 'constructor' }),
      'policy.categories.1.id',
    ],
    ['a cookie of no category', (p) => Object.assign(p.cookies[0], { category: 'ads' }), 'policy.cookies.sid.category'],
    [
      'a necessary cookie without its reason',
      (p) => delete p.cookies[0].necessaryBecause,
      'policy.cookies.sid.necessaryBecause',
    ],
    [
      'a reason missing in one language',
      (p) => delete p.cookies[0].necessaryBecause.de,
      'policy.cookies.sid.necessaryBecause.de',
    ],
    [
      'a reason why a cookie is necessary that can be switched off',
      (p) => Object.assign(p.cookies[1], { necessaryBecause: { en: 'we want it', de: 'wir wollen es' } }),
      'policy.cookies._shop_*.necessaryBecause',
    ],
    ['a text missing in one language', (p) => delete p.cookies[1].purpose.de, 'policy.cookies._shop_*.purpose.de'],
    ['a default language without texts', (p) => Object.assign(p, { defaultLanguage: 'fr' }), 'policy.texts'],
  ]
  test.each(mistakes)('with %s is refused by the field', (_, change, field) => {
    const wrong = structuredClone(policy) as Record<string, any>
    change(wrong)
    expect(() => parsePolicy(wrong)).toThrow(InputError)
    expect(() => parsePolicy(wrong)).toThrow(field)
  })
})

describe('the name of a cookie', () => {
  const named = (name: string) => {
    const wanted = testPolicy()
    Object.assign(wanted.cookies[1]!, { name })
    return parsePolicy(wanted)
  }

  test.each(['sid', '_ga_*', '*_session', '_hj*_x', '*_a*', 'a*b', '_pk_id.1.*', '%5F%5Fx'])(
    'may be %s: exact, but for * anywhere',
    (name) => expect(named(name).cookies[1]?.name).toBe(name),
  )

  test.each(['', '*', '**', 'a', 'a*', '*a', '*a*', 'a b', 'ab;', 'ab,', 'ab=c', 'ab*\n'])(
    'is refused by its field as %j: it would be no name, or everybody’s',
    (name) => expect(() => named(name)).toThrow('policy.cookies.1.name'),
  )

  test('is refused however long it is, before anybody loses patience', () => {
    expect(() => named(`${'a'.repeat(10_000)};`)).toThrow('policy.cookies.1.name')
  })
})

describe('a notice', () => {
  test('holds every word of its language, and a hash over all of them', () => {
    const { hash, ...content } = createNotice(policy, 'de', labels.de!)
    expect(content).toMatchObject({ language: 'de', text: policy.texts.de!.banner, words: labels.de })
    expect(hash).toBe(hashDocument(content))
  })

  test('says why a cookie can’t be switched off, and nothing of the kind of one that can', () => {
    const [sid, visits] = createNotice(policy, 'de', labels.de!).cookies
    expect(sid?.necessaryBecause).toBe('niemand könnte sich anmelden')
    expect(visits).not.toHaveProperty('necessaryBecause')
  })

  test('names the direction of its script', () => {
    expect(createNotice(policy, 'de', labels.de!).dir).toBe('ltr')
    const spoken = testPolicy()
    for (const { texts } of spoken.categories) Object.assign(texts, { ar: { title: 'x', description: 'x' } })
    for (const { purpose, lifetime, necessaryBecause = {} } of spoken.cookies)
      for (const texts of [purpose, lifetime, necessaryBecause]) Object.assign(texts, { ar: 'x' })
    Object.assign(spoken.texts, { ar: { banner: 'x' } })
    expect(createNotice(spoken, 'ar', labels.en!).dir).toBe('rtl')
  })

  test('with one other word has another hash', () => {
    const other = createNotice(policy, 'de', { ...labels.de!, acceptAll: 'Ja' })
    expect(other.hash).not.toBe(createNotice(policy, 'de', labels.de!).hash)
  })

  test('in a language that the SDK does not speak is refused', () => {
    const spoken = testPolicy()
    for (const { texts } of spoken.categories) Object.assign(texts, { xx: { title: 'x', description: 'x' } })
    Object.assign(spoken.texts, { xx: { banner: 'x' } })
    expect(() => noticesOf(spoken, labels)).toThrow('policy.texts.xx')
  })
})

describe('the direction of a language', () => {
  test.each(['ar', 'he', 'fa', 'ur', 'yi', 'ps', 'sd', 'ug', 'dv', 'ckb', 'ar-EG', 'he-IL', 'AR-eg', 'ar-arb'])(
    'of %s is from right to left',
    (tag) => expect(directionOf(tag)).toBe('rtl'),
  )

  test.each(['en', 'de-AT', 'zh-cmn-Hans-CN', 'arn', 'sl-rozaj-biske-1994', 'de-1996', 'en-XArab', ''])(
    'of %s is from left to right',
    (tag) => expect(directionOf(tag)).toBe('ltr'),
  )

  test.each([
    ['az-Arab', 'rtl'],
    ['pa-Arab-PK', 'rtl'],
    ['lad-Hebr', 'rtl'],
    ['ar-arb-Latn', 'ltr'],
    ['ur-Latn-IN', 'ltr'],
    ['sd-Deva', 'ltr'],
  ] as const)('is that of the script where the tag names one: %s, %s', (tag, direction) =>
    expect(directionOf(tag)).toBe(direction),
  )
})

describe('the published policies', () => {
  test('end for want of activity when people were told, unless they are asked again', () => {
    const published = publication(testPolicy(), noticesOf(testPolicy(), labels))
    const next = (more: Partial<Policy>) => testPolicy({ version: 'next', inactivityDays: 5, ...more })
    const publish = (policy: Policy) => unpublished(published, policy, noticesOf(policy, labels))
    expect(() => publish(next({ material: false }))).toThrow(/30, as 2026-04 says/)
    expect(publish(next({ material: true }))).not.toEqual([])
    expect(publish(next({ material: false, inactivityDays: 30 }))).not.toEqual([])
  })

  const notices = noticesOf(policy, labels)
  const published = publication(policy, notices)

  test('a policy is found by label and hash together', () => {
    const book = new PolicyBook(published, policy, notices)
    expect(book.find(book.ref)).toEqual(policy)
    expect(book.find({ ...book.ref, hash: 'A'.repeat(43) })).toBeNull()
    expect(book.find({ ...book.ref, version: 'other' })).toBeNull()
  })

  test('words that changed with the SDK are published as another notice of the same policy', () => {
    const changed = noticesOf(policy, { ...labels, en: { ...labels.en!, acceptAll: 'Yes to all' } })
    const due = unpublished(published, policy, changed)
    expect(due.map(({ kind, language }) => [kind, language])).toEqual([['notice', 'en']])
    const book = new PolicyBook([...published, ...due], policy, changed)
    for (const notice of [notices[0]!, changed[0]!]) {
      expect(book.hasNotice(notice.hash, policy.version, 'en')).toBe(true)
      expect(JSON.parse(book.noticeBody(notice.hash)!)).toEqual(notice)
    }
    expect(book.noticeBody(book.ref.hash)).toBeNull()
  })

  test('going back to an older policy asks nobody again who chose under it', () => {
    const newer = testPolicy({ version: '2026-06' })
    const all = [...published, ...publication(newer, noticesOf(newer, labels))]
    expect(new PolicyBook(all, newer, notices).accepts).toEqual(['2026-06'])
    expect(new PolicyBook(all, policy, notices).accepts).toEqual(['2026-04'])
  })

  test('which versions stood at an instant is known by when they were logged', () => {
    const versions = [policy, testPolicy({ version: 'e', material: false }), testPolicy({ version: 'm' })]
    const all = versions.flatMap((one) => publication(one, noticesOf(one, labels)))
    const logged = all.filter(({ kind }) => kind === 'policy').map(({ hash }, i) => [hash, (i + 1) * 10] as const)
    const book = new PolicyBook(all, versions[2]!, notices, new Map(logged))
    // What comes later replaced nothing yet.
    for (const at of [0, 10, 20, 29]) expect(book.acceptsAt(at), `${at}`).toEqual(['2026-04', 'e', 'm'])
    expect(book.acceptsAt(30)).toEqual(['m'])
    expect(book.acceptsAt(30)).toEqual(book.accepts)
    expect([book.replacedBy('2026-04', 29), book.replacedBy('m', 99)]).toEqual([null, null])
    expect(book.replacedBy('2026-04', 30)).toEqual(book.ref)
    expect(book.replacedBy('e', 30)).toEqual(book.ref)
  })

  test('what is not logged has replaced nothing that could be proven', () => {
    const newer = testPolicy({ version: 'm' })
    const book = new PolicyBook([...published, ...publication(newer, notices)], newer, notices)
    expect(book.acceptsAt(Number.MAX_SAFE_INTEGER)).toEqual(['2026-04', 'm'])
    expect(book.replacedBy('2026-04', Number.MAX_SAFE_INTEGER)).toBeNull()
  })
})
