/**
 * Every bundle of the project, one comment per build saying who loads it. Plain `rollup -c` builds all of them, in an
 * order in which each finds what it needs.
 */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { nodeResolve } from '@rollup/plugin-node-resolve'
import terser from '@rollup/plugin-terser'
import typescript from '@rollup/plugin-typescript'
import { leanPreact } from './tools/lean-preact.mjs'

const sdk = 'packages/sdk/src'
const sdkDist = 'packages/sdk/dist'
const sdkVersion = JSON.parse(readFileSync('packages/sdk/package.json', 'utf8')).version

/** Types are checked by `npm run types`; a build only strips them. */
const strip = (include, target = 'ES2022', more = {}) =>
  typescript({
    tsconfig: 'tsconfig.json',
    filterRoot: '.',
    include: include.map((path) => `${path}/**/*.{ts,tsx}`),
    exclude: ['**/*.test.ts', '**/*.test.tsx'],
    compilerOptions: { noEmit: false, noCheck: true, target, incremental: false, ...more },
    noEmitOnError: false,
  })

/** The same, with declarations beside the modules, for who imports the package. */
const stripWithTypes = (source, outDir) =>
  typescript({
    tsconfig: 'tsconfig.json',
    include: [`${source}/**/*.{ts,tsx}`],
    // Else the plugin would look for these below `rootDir`.
    filterRoot: process.cwd(),
    // Tests, and what only they import.
    exclude: ['**/*.test.ts', '**/*.test.tsx', '**/test-*.ts', 'packages/server/src/testing.ts', '**/conformance.ts'],
    compilerOptions: {
      noEmit: false,
      noCheck: true,
      incremental: false,
      declaration: true,
      outDir,
      declarationDir: outDir,
      rootDir: source,
      // Other packages by the declarations they publish: their sources lie outside the root.
      paths: {},
    },
    noEmitOnError: false,
  })

/**
 * Names of properties that only our own files speak to each other with. None of them may stand in `wire.ts`, in what is
 * kept in storage, in what a page calls by name, or in a browser's own objects. The same in all files, which are built
 * one by one and meet in the page.
 */
const privateNames = [
  ...['amend', 'asks', 'decide', 'drop', 'known', 'obey', 'refresh', 'slide', 'subscribe'],
  ...['asked', 'draft', 'prefix', 'sending', 'telling'],
  ...['mustReload', 'scan', 'update', 'read', 'write', 'place', 'consent'],
  ...['adopt', 'flush', 'settle', 'onRecorded', 'onRefused', 'onDecide', 'onPreferences', 'onManage', 'isSignalled'],
  ...['hasRecord', 'isNobody', 'isWaiting', 'onWithdraw', 'onCopy', 'onRecall', 'onReceipt'],
]
const shortNames = Object.fromEntries(
  privateNames.map((name, index) => [`$${name}`, `${String.fromCharCode(65 + (index % 26))}${index < 26 ? '' : 1}`]),
)

/** `inline: 1` repeats fewer functions, which compresses better. */
const minify = (more, mangle) =>
  terser({
    ecma: 2020,
    module: true,
    compress: { passes: 6, inline: 1, ...more },
    ...mangle,
    format: { comments: false },
  })

/** For the SDK's own files. `more`: what is safe for our own code and Preact's, whose private properties begin with an underscore. */
const squeeze = (more) =>
  minify(more, {
    mangle: { properties: { builtins: true, regex: new RegExp(`^(${privateNames.join('|')}|_[a-z]\\w+)$`) } },
    nameCache: { props: { props: shortNames } },
  })

/** Neither our code nor Preact's counts a function's arguments or makes objects with an unnamed one. */
const ours = { unsafe_arrows: true, keep_fargs: false }

/** Bare names are installed packages; whoever runs the bundle has them. */
const isPackage = (id) => !id.startsWith('.') && !isAbsolute(id)

/** Plain calls of `h` repeat fewer words than what compilers make of JSX today, and need no run time of their own. */
const classicJsx = { jsx: 'react', jsxFactory: 'h', jsxFragmentFactory: 'Fragment', jsxImportSource: undefined }
const plainJsx = {
  name: 'plain-jsx',
  transform: (code, id) =>
    id.endsWith('.tsx') ? { code: `import { Fragment, h } from 'preact'\n${code}`, map: null } : null,
}

/** Style sheets are strings, which no minifier of scripts touches. */
const squeezeStyles = {
  name: 'squeeze-styles',
  transform(code, id) {
    if (!/[\\/]styles\.tsx?$/.test(id)) return null
    const squeezed = code.replace(/`[^`]*`/g, (text) =>
      text
        .replace(/\s+/g, ' ')
        .replace(/ ?([{};,]) ?/g, '$1')
        .replace(/: /g, ':')
        .replace(/;}/g, '}'),
    )
    return { code: squeezed, map: null }
  },
}

/** Adds the hash by which a page pins the file (Subresource Integrity, as the `integrity` attribute has it). */
const pinnedHash = {
  name: 'pinned-hash',
  writeBundle(_, bundle) {
    const [{ code }] = Object.values(bundle)
    const file = join(sdkDist, 'manifest.json')
    const manifest = JSON.parse(readFileSync(file, 'utf8'))
    const integrity = `sha384-${createHash('sha384').update(code).digest('base64')}`
    writeFileSync(file, `${JSON.stringify({ ...manifest, integrity }, null, 2)}\n`)
  },
}

/** Keeps `manifest.json`, by which the server knows the hashed names, and removes the names that went before. */
const hashed = (key, pattern) => ({
  name: 'hashed-names',
  writeBundle(_, bundle) {
    const names = Object.keys(bundle)
    const name = names.find((one) => pattern.test(one)) ?? names[0]
    for (const old of readdirSync(sdkDist)) if (pattern.test(old) && old !== name) rmSync(join(sdkDist, old))
    const file = join(sdkDist, 'manifest.json')
    const manifest = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {}
    writeFileSync(file, `${JSON.stringify({ ...manifest, [key]: name }, null, 2)}\n`)
  },
})

/** Removes modules that went before, so that nobody imports what has no source any more. Ours have declarations. */
const onlyThese = {
  name: 'only-these',
  writeBundle({ dir }, bundle) {
    for (const name of readdirSync(dir, { recursive: true })) {
      if (!name.endsWith('.d.ts') || name.replaceAll('\\', '/') in bundle) continue
      rmSync(join(dir, name))
      rmSync(join(dir, name.replace(/d\.ts$/, 'js')), { force: true })
    }
  },
}

/** In the browser the tree hashes without node:crypto. */
const webHash = {
  name: 'web-hash',
  resolveId(id, importer) {
    if (!importer || !id.endsWith('/hash.js')) return null
    const web = resolve(dirname(importer), id.replace(/\.js$/, '.web.ts'))
    return existsSync(web) ? web : null
  },
}

export const builds = {
  // Every page: the script tag fetches this one file, which the server wraps into a function of the site's configuration.
  loader: {
    input: `${sdk}/script.ts`,
    output: { file: `${sdkDist}/avow.js`, format: 'es' },
    plugins: [strip([sdk], 'ES2020'), squeeze(ours), hashed('loader', /^$/)],
  },

  // Every page of a site that has something to tell Google: the same, with Consent Mode.
  signals: {
    input: `${sdk}/script-signals.ts`,
    output: { file: `${sdkDist}/avow-signals.js`, format: 'es' },
    plugins: [strip([sdk], 'ES2020'), squeeze(ours), hashed('signals', /^$/)],
  },

  // A visitor who has to decide, or who looks at what was decided: the loader imports the one, and where it finds an
  // <avow-settings> the other, which takes Preact and what else it can from the first.
  ui: {
    input: { 'avow-ui': `${sdk}/ui/mount.tsx`, 'avow-settings': `${sdk}/ui/settings/mount.tsx` },
    preserveEntrySignatures: 'allow-extension',
    output: { dir: sdkDist, format: 'es', entryFileNames: '[name].[hash:10].js', hashCharacters: 'hex' },
    plugins: [
      leanPreact(),
      nodeResolve({ browser: true }),
      squeezeStyles,
      plainJsx,
      strip([sdk], 'ES2020', classicJsx),
      squeeze(ours),
      hashed('ui', /^avow-ui\..*\.js$/),
      hashed('settings', /^avow-settings\..*\.js$/),
    ],
  },

  // Pages that speak of accounts: the loader imports it when one signs in or out.
  account: {
    input: { 'avow-account': `${sdk}/decide/identify.ts` },
    output: { dir: sdkDist, format: 'es', entryFileNames: '[name].[hash:10].js', hashCharacters: 'hex' },
    plugins: [strip([sdk], 'ES2020'), squeeze(), hashed('account', /^avow-account\..*\.js$/)],
  },

  // Pages that pin what they load by its hash: everything in one file, named by the version.
  pinned: {
    input: `${sdk}/pinned.ts`,
    output: { file: `${sdkDist}/avow.${sdkVersion}.js`, format: 'iife' },
    plugins: [
      leanPreact(),
      nodeResolve({ browser: true }),
      squeezeStyles,
      plainJsx,
      strip([sdk], 'ES2020', classicJsx),
      squeeze(ours),
      hashed('pinned', /^avow\.\d.*\.js$/),
      pinnedHash,
    ],
  },

  // Those who bundle @avow/sdk themselves, and the server, which merges the labels into notices.
  sdk: {
    input: [
      `${sdk}/index.ts`,
      `${sdk}/headless.ts`,
      `${sdk}/server.ts`,
      `${sdk}/testing.ts`,
      `${sdk}/labels/index.ts`,
      `${sdk}/ui/mount.tsx`,
      `${sdk}/ui/settings/mount.tsx`,
    ],
    output: { dir: `${sdkDist}/esm`, format: 'es', preserveModules: true, preserveModulesRoot: sdk },
    external: isPackage,
    plugins: [stripWithTypes(sdk, `${sdkDist}/esm`), onlyThese],
  },

  // Node: those who embed the server, the `avow` program, and the verifier on its own.
  server: {
    input: ['index.ts', 'cli/avow.ts', 'verify/bundle.ts', 'storage/sqlite-worker.ts'].map(
      (path) => `packages/server/src/${path}`,
    ),
    output: {
      dir: 'packages/server/dist',
      format: 'es',
      preserveModules: true,
      preserveModulesRoot: 'packages/server/src',
    },
    external: isPackage,
    plugins: [stripWithTypes('packages/server/src', 'packages/server/dist'), onlyThese],
  },

  // Whoever opens an evidence page, from a file and without a network: the server puts it into the page.
  evidence: {
    input: 'packages/server/src/verify/page/script.ts',
    output: { file: 'packages/server/dist/evidence-page.js', format: 'iife' },
    plugins: [webHash, nodeResolve({ browser: true }), strip(['packages/server/src'], 'ES2020'), minify()],
  },

  // Node: `npm start`.
  demo: {
    input: 'demo/src/main.ts',
    output: { file: 'demo/dist/main.js', format: 'es' },
    external: isPackage,
    plugins: [strip(['demo/src'])],
  },

  // The dashboard's pages, held until consent: the demo's own analytics.
  analytics: {
    input: 'demo/src/web/analytics.ts',
    output: { file: 'demo/dist/web/analytics.js', format: 'iife' },
    plugins: [nodeResolve({ browser: true }), strip(['demo/src'], 'ES2020'), minify()],
  },

  // The dashboard's pages.
  dashboard: {
    input: 'demo/src/web/dashboard.ts',
    output: { file: 'demo/dist/web/dashboard.js', format: 'es' },
    plugins: [nodeResolve({ browser: true }), strip(['demo/src', 'packages/sdk/src'], 'ES2020'), minify()],
  },

  // The privacy team's page: verifies proofs in the browser, so the verifier is inside.
  privacy: {
    input: 'demo/src/web/privacy.ts',
    output: { file: 'demo/dist/web/privacy.js', format: 'es' },
    plugins: [webHash, nodeResolve({ browser: true }), strip(['demo/src', 'packages/server/src'], 'ES2020'), minify()],
  },
}

export default Object.values(builds)
