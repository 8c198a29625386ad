/**
 * Builds everything that runs: the browser's files, the server, the demo. Skips a build that is current, so that
 * `npm start` after `npm test` (and the other way round) starts at once.
 *
 * Whether a build is current is decided by what went into it, never by file times: a fresh clone has only new ones.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const at = (path) => join(root, path)

const inputs = [
  'packages/sdk/src',
  'packages/server/src',
  'demo/src',
  'demo/policy.json',
  'packages/sdk/package.json',
  'packages/server/package.json',
  'demo/package.json',
  'package.json',
  'package-lock.json',
  'rollup.config.mjs',
  'tsconfig.json',
  'tools/build.mjs',
  'tools/lean-preact.mjs',
]

// One stamp in each folder that a build fills: whoever deletes one of them gets a whole build again.
const stamps = ['packages/sdk/dist', 'packages/server/dist', 'demo/dist'].map((folder) => at(`${folder}/.stamp`))

/** The API reference page is served from the package itself, so its script is copied in, not fetched from a CDN. */
const copies = [
  ['node_modules/@scalar/fastify-api-reference/dist/js/standalone.js', 'packages/server/dist/docs/scalar.js'],
]

function filesUnder(path) {
  if (!existsSync(path)) return []
  const entries = readdirSync(path, { withFileTypes: true, recursive: true })
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
}

/** One hash over the names and bytes of all that goes into a build. Tests don't. */
function hashInputs() {
  const files = inputs.flatMap((input) => (/\.\w+$/.test(input) ? [at(input)] : filesUnder(at(input))))
  const hash = createHash('sha256')
  for (const file of files.filter((name) => !/\.test\.tsx?$/.test(name)).sort()) {
    const bytes = existsSync(file) ? readFileSync(file) : Buffer.alloc(0)
    hash.update(`${relative(root, file)}\0${bytes.length}\0`).update(bytes)
  }
  return hash.digest('hex')
}

const isCurrent = (hash) => stamps.every((stamp) => existsSync(stamp) && readFileSync(stamp, 'utf8') === hash)

function build() {
  const hash = hashInputs()
  if (isCurrent(hash) && !process.argv.includes('--force')) {
    console.log('build is current')
    return
  }
  const started = performance.now()
  // Removed first, written last: a build that was interrupted leaves no stamp and is done again.
  for (const stamp of stamps) rmSync(stamp, { force: true })
  const rollup = spawnSync(process.execPath, [at('node_modules/rollup/dist/bin/rollup'), '-c', '--silent'], {
    cwd: root,
    stdio: 'inherit',
  })
  if (rollup.status !== 0) {
    console.error('build failed: rollup said why above')
    process.exit(1)
  }
  for (const [from, to] of copies) {
    mkdirSync(dirname(at(to)), { recursive: true })
    copyFileSync(at(from), at(to))
  }
  for (const stamp of stamps) {
    mkdirSync(dirname(stamp), { recursive: true })
    writeFileSync(stamp, hash)
  }
  console.log(`built in ${((performance.now() - started) / 1000).toFixed(1)} s`)
}

build()
