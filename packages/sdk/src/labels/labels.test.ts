/** Every word that travels in a notice is a word that somebody reads. */
import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { labels } from './index.js'

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
