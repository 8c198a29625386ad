/** The arrows as a test: every rule holds over the source as it is, and every rule is seen to fail on a file that breaks it. */
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { parseSource, rules } from './arrows.js'

const root = fileURLToPath(new URL('..', import.meta.url))

function readSources() {
  const skipped = new Set(['node_modules', 'dist', 'data', 'test-results'])
  const walk = (folder: string): string[] =>
    readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) return skipped.has(entry.name) ? [] : walk(path)
      return /\.(tsx?|mjs)$/.test(entry.name) ? [path] : []
    })
  const files = ['packages', 'demo', 'e2e', 'tools', 'bench'].flatMap((folder) => walk(join(root, folder)))
  return files.map((path) => parseSource(relative(root, path).split(sep).join('/'), readFileSync(path, 'utf8')))
}

const sources = readSources()

test('the rules look at real files of the SDK, the server and the demo', () => {
  for (const folder of ['packages/sdk/src/loader/', 'packages/server/src/', 'demo/src/']) {
    expect(sources.filter(({ path, imports }) => path.startsWith(folder) && imports.length > 0)).not.toEqual([])
  }
})

describe.each(rules)('$sentence', ({ broken, violations }) => {
  test('holds in every file', () => {
    expect(sources.flatMap(broken)).toEqual([])
  })

  test.each(violations)('would catch it in $path', ({ path, text }) => {
    expect(broken(parseSource(path, text))).not.toEqual([])
  })
})

describe('imports are read as the compiler reads them', () => {
  const targets = (text: string) => parseSource('packages/sdk/src/ui/a.tsx', text).imports

  test('an import in a comment or a string is none', () => {
    expect(targets(`// import 'x'\nconst text = "import 'y'"`)).toEqual([])
  })

  test('type imports, re-exports, import types and dynamic imports are all seen', () => {
    const text = `
      import type { A } from './a.js'
      export * from '../loader/b.js'
      type C = import('./c.js').C
      const d = () => import('d')`
    expect(targets(text)).toEqual([
      { written: './a.js', target: 'packages/sdk/src/ui/a', typeOnly: true },
      { written: '../loader/b.js', target: 'packages/sdk/src/loader/b', typeOnly: false },
      { written: './c.js', target: 'packages/sdk/src/ui/c', typeOnly: true },
      { written: 'd', target: 'd', typeOnly: false },
    ])
  })

  test('a date made from a value is no reading of the clock', () => {
    expect(parseSource('a.ts', 'new Date(0); Date.parse(text); Date.UTC(2026)').clockReads).toEqual([])
  })
})
