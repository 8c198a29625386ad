/** Every word that travels in a notice is a word that somebody reads. */
import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { Labels } from '../wire.js'
import { en } from './en.js'
import { labels } from './index.js'

const officialInTheUnion = 'bg cs da de el en es et fi fr ga hr hu it lt lv mt nl pl pt ro sk sl sv'.split(' ')
const others = 'ar he is ja ko nb pt-BR tr uk zh'.split(' ')

/** Spelled as in English, and rightly so. */
const spelledAlike = [
  // German has the same word.
  'de.cookieName',
]

const buttons: readonly (keyof Labels)[] = [
  'acceptAll',
  'rejectAll',
  'manage',
  'save',
  'close',
  'withdraw',
  'heldAllow',
  'copy',
  'receipt',
]

/** Of what is not written in Latin letters. */
const scripts: Readonly<Record<string, RegExp>> = {
  ar: /\p{Script=Arabic}/u,
  bg: /\p{Script=Cyrillic}/u,
  el: /\p{Script=Greek}/u,
  he: /\p{Script=Hebrew}/u,
  // The mark that lengthens a vowel belongs to both syllabaries, so to neither by Script alone.
  ja: /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}ー]/u,
  ko: /\p{Script=Hangul}/u,
  uk: /\p{Script=Cyrillic}/u,
  zh: /\p{Script=Han}/u,
}

/** Words that some of those languages write as we do. */
const latinWords = /\b(?:cookies?|ID|GPC)\b|\{category\}/gi

interface Word {
  readonly language: string
  readonly label: keyof Labels
  readonly text: string
}

const everyWord: readonly Word[] = Object.entries(labels).flatMap(([language, words]) =>
  Object.entries(words).map(([label, text]): Word => ({ language, label: label as keyof Labels, text })),
)

const where = (isMeant: (word: Word) => unknown) =>
  everyWord.filter(isMeant).map(({ language, label }) => `${language}.${label}`)

const isSentence = (label: keyof Labels) => en[label].endsWith('.')

test('each label is shown by the banner, the preferences or the settings, in every language', () => {
  const folder = `${import.meta.dirname}/../ui`
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.tsx'))
  const source = files.map((name) => readFileSync(`${folder}/${name}`, 'utf8')).join('\n')
  const shown = new Set(Array.from(source.matchAll(/\bwords\.(\w+)/g), ([, name]) => name))
  for (const [language, words] of Object.entries(labels)) {
    expect(
      Object.keys(words).filter((name) => !shown.has(name)),
      language,
    ).toEqual([])
  }
})

test('the SDK speaks the 24 official languages of the European Union and ten others', () => {
  expect(officialInTheUnion).toHaveLength(24)
  expect(Object.keys(labels)).toEqual([...officialInTheUnion, ...others, 'no'].sort())
  // Browsers say either of Norwegian.
  expect(labels.no).toBe(labels.nb)
})

test('each language says everything, in the order of the English', () => {
  for (const [language, said] of Object.entries(labels)) expect(Object.keys(said), language).toEqual(Object.keys(en))
})

test('nothing is left in English but what is spelled alike', () => {
  expect(where(({ language, label, text }) => language !== 'en' && text === en[label])).toEqual(spelledAlike)
})

test('no button has more than 28 characters', () => {
  expect(where(({ label, text }) => buttons.includes(label) && text.length > 28)).toEqual([])
})

test('a label of one line has at most 60 characters', () => {
  expect(where(({ label, text }) => !isSentence(label) && text.length > 60)).toEqual([])
})

test('a sentence is at most 2.2 times as long as the English', () => {
  expect(where(({ label, text }) => isSentence(label) && text.length > 2.2 * en[label].length)).toEqual([])
})

test('what is a sentence in English is one in every language, and nothing else is', () => {
  expect(where(({ label, text }) => /[.。]$|\{category\}$/.test(text) !== isSentence(label))).toEqual([])
})

test('accepting and refusing take about as many characters', () => {
  for (const [language, { acceptAll, rejectAll }] of Object.entries(labels)) {
    expect(Math.abs(acceptAll.length - rejectAll.length), language).toBeLessThanOrEqual(8)
  }
})

test('no label is empty, or has a space too many or an invisible sign', () => {
  expect(where(({ text }) => !text || /^\s|\s$|\s\s|\p{C}/u.test(text))).toEqual([])
})

test('no space before a stop lets it fall onto the next line, and French has such a space', () => {
  expect(where(({ text }) => / [.,:;!?]/.test(text))).toEqual([])
  expect(where(({ language, text }) => language === 'fr' && /[^\u00a0\u202f][:;!?]/.test(text))).toEqual([])
})

test('apostrophes and quotation marks are typographic, and a letter with its accent is one character', () => {
  expect(where(({ text }) => /['"`´]/.test(text))).toEqual([])
  expect(where(({ text }) => text !== text.normalize('NFC'))).toEqual([])
})

test('what is held is named once, at the end of its sentence, where no language inflects it', () => {
  expect(where(({ text }) => /[{}]/.test(text))).toEqual(Object.keys(labels).map((language) => `${language}.heldText`))
  expect(where(({ label, text }) => label === 'heldText' && !/^[^{}]*[:：]\s?\{category\}[.。]?$/.test(text))).toEqual(
    [],
  )
})

test('every language is written in its own letters', () => {
  const isForeign = ({ language, text }: Word) => {
    const letters = text.replace(latinWords, '').match(/\p{L}/gu) ?? []
    const script = scripts[language] ?? /\p{Script=Latin}/u
    return !letters[0] || letters.some((letter) => !script.test(letter))
  }
  expect(where(isForeign)).toEqual([])
})
