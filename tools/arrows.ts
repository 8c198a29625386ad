/**
 * Who may know whom: the arrows of ARCHITECTURE.md as rules over the imports that stand in the source. Pure: files as
 * text go in, sentences about what breaks a rule come out. Reading the repository is `imports.test.ts`.
 *
 * Imports are read with TypeScript's own parser, type-only ones included, so that a comment or a string is never
 * mistaken for one.
 */
import { posix } from 'node:path'
import ts from 'typescript'

export interface Import {
  /** Path in the repository, without ending, for a relative import; else the package name as written. */
  readonly target: string
  readonly written: string
  readonly typeOnly: boolean
}

export interface Source {
  readonly path: string
  readonly imports: readonly Import[]
  /** Lines on which the real clock is read: `Date.now`, `new Date()`, `Date()`. */
  readonly clockReads: readonly number[]
  readonly hasDefaultExport: boolean
}

/** A file that breaks a rule, so that the rule is seen to fail. */
export interface Violation {
  readonly path: string
  readonly text: string
}

export interface Rule {
  readonly sentence: string
  /** What in this file breaks the rule, in words; empty when nothing does. */
  readonly broken: (source: Source) => string[]
  readonly violations: readonly Violation[]
}

const withoutEnding = (path: string) => path.replace(/(\.d)?\.[cm]?[jt]sx?$/, '')

function resolve(path: string, written: string): string {
  if (!written.startsWith('.')) return written
  return withoutEnding(posix.normalize(posix.join(posix.dirname(path), written)))
}

/** `import type …`; a list whose names are each marked `type` still runs the module (verbatimModuleSyntax). */
const isTypeOnly = (node: ts.ImportDeclaration | ts.ExportDeclaration) =>
  ts.isImportDeclaration(node) ? node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword : node.isTypeOnly

const isDate = (node: ts.Node) => ts.isIdentifier(node) && node.text === 'Date'

function readsClock(node: ts.Node): boolean {
  // `Date.now` without a call counts too: handing it on is how the clock is read elsewhere.
  if (ts.isPropertyAccessExpression(node)) return isDate(node.expression) && node.name.text === 'now'
  if (ts.isNewExpression(node)) return isDate(node.expression) && !node.arguments?.length
  return ts.isCallExpression(node) && isDate(node.expression)
}

const isExportedDefault = (node: ts.Node) =>
  (ts.isExportAssignment(node) && !node.isExportEquals) ||
  (ts.canHaveModifiers(node) && ts.getModifiers(node)?.some((one) => one.kind === ts.SyntaxKind.DefaultKeyword)) ||
  (ts.isExportSpecifier(node) && node.name.text === 'default')

export function parseSource(path: string, text: string): Source {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, false)
  const imports: Import[] = []
  const clockReads: number[] = []
  let hasDefaultExport = false

  const add = (node: ts.Node | undefined, typeOnly: boolean) => {
    if (!node || !ts.isStringLiteralLike(node)) return
    imports.push({ written: node.text, target: resolve(path, node.text), typeOnly })
  }
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) add(node.moduleSpecifier, isTypeOnly(node))
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal, true)
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
      add(node.arguments[0], false)
    if (readsClock(node)) clockReads.push(file.getLineAndCharacterOfPosition(node.pos).line + 1)
    if (isExportedDefault(node)) hasDefaultExport = true
    ts.forEachChild(node, visit)
  }
  visit(file)
  return { path, imports, clockReads, hasDefaultExport }
}

const sdk = 'packages/sdk/src'
const server = 'packages/server/src'

/** What only tests import: `test-….ts`, a storage's contract, the small world that server tests are told in. */
const isTestSupport = (target: string) =>
  /\/test-[^/]+$/.test(target) || [`${server}/testing`, `${server}/storage/conformance`].includes(target)

/** Tests and what only they import may know anybody: the arrows are about what ships. */
const isTest = (path: string) =>
  /\.test\.tsx?$/.test(path) || path.startsWith('e2e/') || isTestSupport(withoutEnding(path))

/** Whether a path is one of these: a name ending in `/` stands for all under it. */
const isOneOf = (path: string, names: readonly string[]) =>
  names.some((name) => (name.endsWith('/') ? path.startsWith(name) : withoutEnding(path) === name))

const isRelative = ({ written }: Import) => written.startsWith('.')
const isPackage = (target: string, name: string) => target === name || target.startsWith(`${name}/`)

const imported = (source: Source, what: (one: Import) => boolean, why: string) =>
  source.imports.filter(what).map((one) => `${source.path} imports ${one.written}: ${why}`)

interface MayOnly {
  readonly sentence: string
  readonly from: readonly string[]
  readonly to: readonly string[]
  readonly violations: readonly Violation[]
}

/** All that these files import is among `to`; `wire` is always allowed as a type. */
function mayOnly({ sentence, from, to, violations }: MayOnly): Rule {
  return {
    sentence,
    violations,
    broken: (source) =>
      isTest(source.path) || !isOneOf(source.path, from)
        ? []
        : imported(
            source,
            ({ target, typeOnly }) => !isOneOf(target, to) && !(typeOnly && target === `${sdk}/wire`),
            sentence,
          ),
  }
}

interface NamedOnlyBy {
  readonly sentence: string
  readonly target: (one: Import, source: Source) => boolean
  readonly by: readonly string[]
  /** Where the rule looks; everywhere when absent. */
  readonly within?: readonly string[]
  readonly violations: readonly Violation[]
}

/** What `target` matches is imported by nobody but `by`. */
function namedOnlyBy({ sentence, target, by, within, violations }: NamedOnlyBy): Rule {
  return {
    sentence,
    violations,
    broken: (source) =>
      isTest(source.path) || isOneOf(source.path, by) || (within && !isOneOf(source.path, within))
        ? []
        : imported(source, (one) => target(one, source), sentence),
  }
}

export const rules: readonly Rule[] = [
  mayOnly({
    sentence: 'the loader knows neither decide, Preact nor the UI',
    from: [`${sdk}/loader/`],
    to: [`${sdk}/loader/`],
    violations: [
      { path: `${sdk}/loader/consent.ts`, text: `import { send } from '../decide/outbox.js'` },
      { path: `${sdk}/loader/gate.ts`, text: `import type { Mount } from '../ui/mount.js'` },
      { path: `${sdk}/loader/gate.ts`, text: `const h = await import('preact')` },
      { path: `${sdk}/loader/rules.ts`, text: `import { labels } from '../labels/index.js'` },
    ],
  }),
  mayOnly({
    sentence: 'decide knows the loader and not the UI',
    from: [`${sdk}/decide/`],
    to: [`${sdk}/decide/`, `${sdk}/loader/`],
    violations: [{ path: `${sdk}/decide/outbox.ts`, text: `import type { Props } from '../ui/Banner.js'` }],
  }),
  mayOnly({
    sentence: 'the UI knows decide, the loader and Preact',
    from: [`${sdk}/ui/`],
    to: [`${sdk}/ui/`, `${sdk}/decide/`, `${sdk}/loader/`, 'preact', 'preact/jsx-runtime'],
    violations: [
      { path: `${sdk}/ui/Banner.tsx`, text: `import { useState } from 'preact/hooks'` },
      { path: `${sdk}/ui/Banner.tsx`, text: `import { en } from '../labels/en.js'` },
      { path: `${sdk}/ui/mount.tsx`, text: `export { start } from '../script.js'` },
    ],
  }),
  namedOnlyBy({
    sentence: 'Preact lives in the UI and nowhere else',
    target: ({ target }) => isPackage(target, 'preact'),
    by: [`${sdk}/ui/`],
    violations: [
      { path: `${sdk}/script.ts`, text: `import { render } from 'preact'` },
      { path: 'demo/src/web/dashboard.ts', text: `import type { VNode } from 'preact'` },
    ],
  }),
  namedOnlyBy({
    sentence: 'the script tag knows the UI by type only: its code comes when it is asked for',
    target: ({ target, typeOnly }) => isOneOf(target, [`${sdk}/ui/`, `${sdk}/decide/`]) && !typeOnly,
    by: [],
    within: [`${sdk}/script`],
    violations: [{ path: `${sdk}/script.ts`, text: `import { mount } from './ui/mount.js'` }],
  }),
  namedOnlyBy({
    sentence: 'the labels are in no file that a browser loads',
    target: ({ target, typeOnly }) => isOneOf(target, [`${sdk}/labels/`]) && !typeOnly,
    by: [`${sdk}/labels/`],
    within: [`${sdk}/`],
    violations: [{ path: `${sdk}/decide/placeholder.ts`, text: `import { en } from '../labels/en.js'` }],
  }),
  {
    sentence: 'what travels is types: imported as types, and importing nothing',
    broken: (source) => [
      ...imported(
        source,
        ({ target, typeOnly }) => (target === `${sdk}/wire` || target === '@avow/sdk/wire') && !typeOnly,
        'wire is imported as a type',
      ),
      ...(source.path === `${sdk}/wire.ts` ? imported(source, () => true, 'wire imports nothing') : []),
    ],
    violations: [
      { path: `${server}/consent/record.ts`, text: `import { Choices } from '@avow/sdk/wire'` },
      { path: `${sdk}/loader/cookie.ts`, text: `import { type Choices } from '../wire.js'` },
      { path: `${sdk}/wire.ts`, text: `import type { Policy } from './loader/config.js'` },
    ],
  },
  {
    sentence: 'the server takes from the SDK only what travels and the labels; the SDK takes nothing from the server',
    broken: (source) => [
      ...(source.path.startsWith('packages/server/')
        ? imported(
            source,
            ({ target }) => isPackage(target, '@avow/sdk') && !/^@avow\/sdk\/(wire|labels)$/.test(target),
            'only wire and labels',
          )
        : []),
      ...(source.path.startsWith('packages/sdk/')
        ? imported(source, ({ target }) => isPackage(target, '@avow/server'), 'the SDK knows no server')
        : []),
    ],
    violations: [
      { path: `${server}/routes/script.ts`, text: `import { createConsent } from '@avow/sdk'` },
      { path: `${sdk}/decide/outbox.ts`, text: `import type { Problem } from '@avow/server'` },
    ],
  },
  {
    sentence: 'packages know each other by their public names, never by a path',
    broken: (source) => {
      const home = /^(packages\/[^/]+|demo|e2e|tools|bench)\//.exec(source.path)?.[0]
      if (!home || !/^(packages|demo)\//.test(home)) return []
      return imported(source, (one) => isRelative(one) && !one.target.startsWith(home), 'the path leaves the package')
    },
    violations: [
      { path: 'demo/src/main.ts', text: `import { createAvow } from '../../packages/server/src/app.js'` },
      { path: `${server}/consent/record.ts`, text: `import type { Choices } from '../../../sdk/src/wire.js'` },
    ],
  },
  mayOnly({
    sentence: 'merkle imports nothing but itself',
    from: [`${server}/merkle/`],
    to: [`${server}/merkle/`, 'node:crypto', '@noble/hashes/', '@noble/curves/'],
    violations: [
      { path: `${server}/merkle/tree.ts`, text: `import type { Storage } from '../storage/storage.js'` },
      { path: `${server}/merkle/tile.ts`, text: `import { Buffer } from 'node:buffer'` },
    ],
  }),
  namedOnlyBy({
    sentence:
      'merkle and verify name a hash library in hash.ts and its browser twin only, so that both run in a browser',
    target: ({ target }) => target.startsWith('node:') || target === 'crypto' || target.startsWith('@noble/'),
    by: [`${server}/merkle/hash`, `${server}/merkle/hash.web`],
    within: [`${server}/merkle/`, `${server}/verify/`],
    violations: [
      { path: `${server}/merkle/tree.ts`, text: `import { createHash } from 'node:crypto'` },
      { path: `${server}/verify/bundle.ts`, text: `import { createHmac } from 'node:crypto'` },
    ],
  }),
  namedOnlyBy({
    sentence: 'verify stands alone: it knows the ledger and merkle, and no storage, route or policy',
    target: (one) =>
      isOneOf(
        one.target,
        ['storage', 'routes', 'vault', 'middleware'].map((name) => `${server}/${name}/`),
      ),
    by: [],
    within: [`${server}/verify/`],
    violations: [{ path: `${server}/verify/bundle.ts`, text: `import { openSqlite } from '../storage/sqlite.js'` }],
  }),
  namedOnlyBy({
    sentence: 'a consent knows nothing of the ledger or of trees',
    target: ({ target }) => isOneOf(target, [`${server}/ledger/`, `${server}/merkle/`]),
    by: [],
    within: [`${server}/consent/`],
    violations: [
      { path: `${server}/consent/record.ts`, text: `import type { Entry } from '../ledger/entry.js'` },
      { path: `${server}/consent/policy.ts`, text: `import { sha256 } from '../merkle/hash.js'` },
    ],
  }),
  namedOnlyBy({
    sentence: 'who may ask, and the log that they did, know nothing of consent, nor of HTTP',
    target: ({ target }) =>
      isPackage(target, 'hono') ||
      isOneOf(
        target,
        ['consent', 'routes', 'middleware'].map((name) => `${server}/${name}/`),
      ),
    by: [],
    within: [`${server}/access/`],
    violations: [
      { path: `${server}/access/access-log.ts`, text: `import { toRecord } from '../consent/record.js'` },
      { path: `${server}/access/token.ts`, text: `import type { Context } from 'hono'` },
    ],
  }),
  namedOnlyBy({
    sentence: 'the ledger knows nothing of consent',
    target: ({ target }) => isOneOf(target, [`${server}/consent/`]),
    by: [],
    within: [`${server}/ledger/`],
    violations: [{ path: `${server}/ledger/ledger.ts`, text: `import type { Record } from '../consent/record.js'` }],
  }),
  namedOnlyBy({
    sentence: 'routes are known only where the application is put together',
    target: ({ target }) => isOneOf(target, [`${server}/routes/`]),
    by: [`${server}/app`, `${server}/main`, `${server}/index`, `${server}/routes/`],
    violations: [{ path: `${server}/consent/state.ts`, text: `import { audit } from '../routes/audit.js'` }],
  }),
  namedOnlyBy({
    sentence: 'app and main are known only above them: app by main, main by the package and the programs',
    target: ({ target }, { path }) =>
      (target === `${server}/app` && !isOneOf(path, [`${server}/main`, `${server}/index`])) ||
      (target === `${server}/main` && !isOneOf(path, [`${server}/index`, `${server}/cli/`])) ||
      (isOneOf(target, [`${server}/cli/`]) && !isOneOf(path, [`${server}/cli/`])) ||
      target === 'demo/src/main',
    by: [],
    violations: [
      { path: `${server}/routes/consents.ts`, text: `import type { AppEnv } from '../app.js'` },
      { path: `${server}/app.ts`, text: `import { createAvow } from './main.js'` },
      { path: 'demo/src/app.tsx', text: `import { port } from './main.js'` },
      { path: `${server}/ledger/ledger.ts`, text: `import { print } from '../cli/verify.js'` },
    ],
  }),
  namedOnlyBy({
    sentence: 'storage drivers are named only where things are put together, and in tests',
    target: ({ target }) =>
      isOneOf(
        target,
        ['memory', 'sqlite', 'postgres'].map((name) => `${server}/storage/${name}`),
      ) || ['better-sqlite3', 'pg'].some((driver) => isPackage(target, driver)),
    by: [`${server}/main`, `${server}/index`, `${server}/cli/`, `${server}/storage/`],
    within: [`${server}/`],
    violations: [
      { path: `${server}/ledger/ledger.ts`, text: `import { openSqlite } from '../storage/sqlite.js'` },
      { path: `${server}/routes/health.ts`, text: `import Database from 'better-sqlite3'` },
    ],
  }),
  namedOnlyBy({
    sentence: 'nothing that ships imports what the tests are told in',
    target: ({ target }) => isTestSupport(target),
    by: [],
    violations: [
      { path: `${server}/index.ts`, text: `export { conformance } from './storage/conformance.js'` },
      { path: `${server}/verify/bundle.ts`, text: `import { trees } from '../merkle/test-trees.js'` },
    ],
  }),
  {
    sentence: 'the clock is handed in: only programs and entry points read it',
    broken: (source) => {
      // Where a program starts, or where the page's own world is tied to the rules.
      const readers = [
        `${server}/main`,
        `${server}/cli/`,
        `${sdk}/script`,
        `${sdk}/testing`,
        `${sdk}/loader/start`,
        `${sdk}/ui/mount`,
        'demo/src/main',
        'tools/',
        'bench/',
      ]
      if (isTest(source.path) || isOneOf(source.path, readers)) return []
      return source.clockReads.map((line) => `${source.path}:${line} reads the clock: hand it in`)
    },
    violations: [
      { path: `${sdk}/loader/rules.ts`, text: `const lapsed = Date.now() > 0` },
      { path: `${sdk}/loader/consent.ts`, text: `const at = Date.now()` },
      { path: `${server}/consent/state.ts`, text: `export const stamp = () => new Date().toISOString()` },
      { path: `${server}/app.ts`, text: `const options = { now: Date.now }` },
    ],
  },
  {
    sentence: 'no folder is called shared, common, utils or lib: what two files need gets a name',
    broken: ({ path }) => (/(^|\/)(shared|common|utils?|lib)\//.test(path) ? [`${path}: name it for what it is`] : []),
    violations: [
      { path: `${server}/utils/base64.ts`, text: '' },
      { path: 'demo/src/lib/html.ts', text: '' },
    ],
  },
  {
    sentence: 'exports are named; only the tools that demand a default get one',
    broken: ({ path, hasDefaultExport }) =>
      hasDefaultExport && !/(^|\/)[^/]+\.config\.[cm]?[jt]s$/.test(path) ? [`${path} has a default export`] : [],
    violations: [
      { path: `${server}/app.ts`, text: 'export default function createAvow() {}' },
      { path: `${sdk}/index.ts`, text: 'const avow = 1\nexport default avow' },
      { path: `${sdk}/index.ts`, text: `export { createConsent as default } from './loader/consent.js'` },
    ],
  },
  {
    sentence: 'relative imports end in .js, as the runtime reads them',
    broken: (source) =>
      imported(source, (one) => isRelative(one) && !/\.(m?js|json)$/.test(one.written), 'end it in .js'),
    violations: [{ path: `${server}/app.ts`, text: `import { audit } from './routes/audit'` }],
  },
]
