/**
 * The packages as somebody installs them: packed, and looked at by tools that know how resolvers go wrong. They are what was
 * built, so this runs after the build.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core'
import { nodeResolve } from '@rollup/plugin-node-resolve'
import terser from '@rollup/plugin-terser'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { rollup } from 'rollup'
import { afterAll, expect, test } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'avow-packages-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** The tarball that `npm publish` would send. */
function pack(name: string): Buffer {
  const told = execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], {
    cwd: join(root, 'packages', name),
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  // A list in npm 10 and 11, an object by name in later ones.
  const [{ filename }] = Object.values(JSON.parse(told)) as [{ filename: string }]
  return readFileSync(join(folder, filename))
}

test.each(['sdk', 'server'])('publint finds nothing wrong with the package %s', async (name) => {
  const { messages, pkg } = await publint({ pkgDir: join(root, 'packages', name), pack: 'npm', strict: true })
  expect(messages.map((message) => formatMessage(message, pkg))).toEqual([])
})

test.each(['sdk', 'server'])(
  'the types of the package %s are those of its code, for every resolver of ES modules',
  async (name) => {
    const analysis = await checkPackage(createPackageFromTarballData(new Uint8Array(pack(name))))
    if (!analysis.types) throw new Error('the package has no types')
    // ES modules alone: a resolver that knows no `exports`, and `require`, which Node 20.19 loads them by all the same, aren't asked.
    const isAsked = (problem: object) =>
      !('resolutionKind' in problem) || !['node10', 'node16-cjs'].includes(String(problem.resolutionKind))
    expect(analysis.problems.filter(isAsked)).toEqual([])
    expect(Object.keys(analysis.entrypoints).length).toBeGreaterThan(1)
  },
)

/** What is left of the SDK where a bundle takes one thing of it. */
async function bundled(entry: string, name: string): Promise<string> {
  const from = join(
    root,
    'packages/sdk',
    JSON.parse(readFileSync(join(root, 'packages/sdk/package.json'), 'utf8')).exports[entry].default,
  )
  const bundle = await rollup({
    input: 'entry',
    plugins: [
      {
        name: 'entry',
        resolveId: (id) => (id === 'entry' ? id : null),
        load: (id) =>
          id === 'entry' ? `import { ${name} } from ${JSON.stringify(from)}\nglobalThis.kept = ${name}` : null,
      },
      nodeResolve({ browser: true }),
      terser({ module: true }),
    ],
  })
  const { output } = await bundle.generate({ format: 'es' })
  // What is imported when it is needed is another file.
  return output[0].code
}

test('a server that reads decisions takes in nothing of the gate or the interface', async () => {
  const code = await bundled('./server', 'readDecision')
  expect(code).not.toMatch(/MutationObserver|localStorage|adoptedStyleSheets/)
  expect(code.length).toBeLessThan(2500)
})

test('a page without our interface takes in no Preact', async () => {
  const code = await bundled('./headless', 'createConsent')
  expect(code).toContain('MutationObserver')
  expect(code).not.toMatch(/adoptedStyleSheets|dangerouslySetInnerHTML|showModal/)
})

test('a page with our interface loads it when there is something to decide', async () => {
  const code = await bundled('.', 'createConsent')
  expect(code).toContain('import(')
  expect(code).not.toMatch(/adoptedStyleSheets|dangerouslySetInnerHTML|showModal/)
})

test('the published hash of the pinned file is the hash of that file, which is named by the version', () => {
  const dist = join(root, 'packages/sdk/dist')
  const { pinned, integrity } = JSON.parse(readFileSync(join(dist, 'manifest.json'), 'utf8'))
  const { version } = JSON.parse(readFileSync(join(root, 'packages/sdk/package.json'), 'utf8'))
  expect(pinned).toBe(`avow.${version}.js`)
  expect(integrity).toBe(
    `sha384-${createHash('sha384')
      .update(readFileSync(join(dist, pinned)))
      .digest('base64')}`,
  )
})
