/** What a page loads: the loader with the site's configuration, the files it asks for, notices and the policy. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import type { SiteConfig } from '@avow/sdk/wire'
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import { parseAccept } from 'hono/utils/accept'
import { policySchema } from '../consent/policy.js'
import { hashSchema } from '../consent/record.js'
import type { KeyEnv } from '../middleware/api-key.js'
import { InputError, Refusal } from '../problem.js'
import { type Asset, createAsset } from './asset.js'
import { CONFIG_EXAMPLE, NOTICE_EXAMPLE, POLICY_EXAMPLE, SCRIPT_EXAMPLE } from './examples.js'
import { problems, siteParam } from './openapi.js'
import { type Site, type Sites, siteOf } from './site.js'

/** The SDK's built files. */
export interface Scripts {
  readonly loader: string
  /** The loader of a site with a `consentMode`. */
  readonly signals: string
  /** Name, with its hash, and content. */
  readonly ui: readonly [name: string, content: string]
  readonly settings: readonly [name: string, content: string]
  readonly account: readonly [name: string, content: string]
  /** All of them in one file, named by the version, for pages that pin it by its hash. */
  readonly pinned: readonly [name: string, content: string]
  /** What evidence pages check themselves with. Throws a `Refusal` (404) where it wasn't built. */
  readonly evidence: () => string
}

/** Reads the files that the installed SDK was built to. Throws, saying what to run, where it wasn't built. */
export function readScripts(): Scripts {
  const manifestFile = createRequire(import.meta.url).resolve('@avow/sdk/manifest.json')
  const read = (name: string) => readFileSync(path.join(path.dirname(manifestFile), name), 'utf8')
  const { loader, signals, ui, settings, account, pinned } = JSON.parse(readFileSync(manifestFile, 'utf8'))
  const named = (name: string) => [name, read(name)] as const
  return {
    loader: read(loader),
    signals: read(signals),
    ui: named(ui),
    settings: named(settings),
    account: named(account),
    pinned: named(pinned),
    evidence: readEvidenceScript,
  }
}

/** Read when it is asked for: it is of this package, whose source runs in tests without having been built. */
function readEvidenceScript(): string {
  try {
    return readFileSync(new URL('../evidence-page.js', import.meta.url), 'utf8')
  } catch {
    // Only the build puts it there; evidence as JSON is answered all the same.
    throw new Refusal('not-found', 'the page is part of the built package: run the build, or ask for JSON')
  }
}

/** The loader as one file for one site: a function of its configuration, so that nothing of it is among the page's globals. */
/**
 * `base`: the address of the public surface, for a tag that can't tell where it came from. What only a record needs of the
 * configuration, and what only the server picks from, stays here.
 */
export function siteScript({ policy, languages: _, ...config }: SiteConfig, loader: string, base: string): string {
  const told = JSON.stringify({ ...config, policy: { version: policy.version }, base })
  const served = `(avowSite=>{${loader.trimEnd()}\n})(${told})\n`
  // Here and not in the loader, which every page of every site pays for. Where the loader failed there is nothing to call.
  return config.button ? `${served}self.avow&&avow('button')\n` : served
}

const JAVASCRIPT = 'text/javascript; charset=utf-8'
const JSON_TYPE = 'application/json; charset=utf-8'
/** Long enough that a returning visitor asks for nothing, short enough that a new policy is seen the same hour. */
const SHORT = 'public, max-age=300'
/** Asked for by who has to decide alone: words of an older policy must not be shown, and cited, beside a newer one. */
const FRESH = 'public, no-cache'
const IMMUTABLE = 'public, max-age=31536000, immutable'

const scriptRoute = createRoute({
  method: 'get',
  path: '/v1/sites/{site}/avow.js',
  tags: ['page'],
  summary: 'The loader, with the configuration of the site',
  request: { params: siteParam },
  responses: {
    200: { description: 'the script', content: { 'text/javascript': { schema: z.string(), example: SCRIPT_EXAMPLE } } },
    ...problems('invalid-input', 'not-found', 'rate-limited'),
  },
})

const configRoute = createRoute({
  method: 'get',
  path: '/v1/sites/{site}/config',
  tags: ['page'],
  summary: 'The configuration of the site, for a loader that is pinned or bundled',
  request: { params: siteParam },
  responses: {
    200: {
      description: 'the configuration',
      content: { 'application/json': { schema: z.looseObject({ site: z.string() }), example: CONFIG_EXAMPLE } },
    },
    ...problems('invalid-input', 'not-found', 'rate-limited'),
  },
})

const noticeRoute = createRoute({
  method: 'get',
  path: '/v1/sites/{site}/notice',
  tags: ['page'],
  summary: 'All the words a visitor is shown, in one language, or was shown once',
  description:
    'By `lang`, of the policy in force: in that language, or by its first subtag, or in the default one. By `hash`, as a record cites it, whatever policy is in force: what was published under it, which never changes. Not by both.',
  request: {
    params: siteParam,
    query: z.strictObject({ lang: z.string().max(35).optional(), hash: hashSchema.optional() }),
  },
  responses: {
    200: {
      description: 'the notice',
      content: { 'application/json': { schema: z.looseObject({ hash: z.string() }), example: NOTICE_EXAMPLE } },
    },
    ...problems('invalid-input', 'not-found', 'rate-limited'),
  },
})

const policyRoute = createRoute({
  method: 'get',
  path: '/v1/sites/{site}/policy',
  tags: ['page'],
  summary: 'The policy that is in force',
  request: { params: siteParam },
  responses: {
    200: {
      description: 'the policy',
      content: { 'application/json': { schema: policySchema.openapi('Policy'), example: POLICY_EXAMPLE } },
    },
    ...problems('invalid-input', 'not-found', 'rate-limited'),
  },
})

interface SiteAssets {
  readonly script: Asset
  readonly config: Asset
  readonly policy: Asset
  /** Those of the policy in force, by their hash. */
  readonly notices: ReadonlyMap<string, Asset>
  /** All that was ever published and asked for by its hash: most never are, so each is made when the first one asks. */
  readonly published: Map<string, Asset>
}

function publishedNotice({ book }: Site, { published }: SiteAssets, hash: string): Asset {
  const made = published.get(hash)
  if (made) return made
  const body = book.noticeBody(hash)
  if (body === null) throw new Refusal('not-found', 'no notice was published under this hash', { field: 'hash' })
  const asset = createAsset(body, JSON_TYPE, IMMUTABLE)
  published.set(hash, asset)
  return asset
}

export function scriptRoutes(app: OpenAPIHono<KeyEnv>, sites: Sites, scripts: Scripts, base: string): void {
  const files = { ui: scripts.ui[0], settings: scripts.settings[0], account: scripts.account[0] }
  const assets = new Map<string, SiteAssets>()
  for (const [name, { book, page }] of sites) {
    const config = book.siteConfig(name, files, page)
    assets.set(name, {
      script: createAsset(
        siteScript(config, config.consentMode ? scripts.signals : scripts.loader, base),
        JAVASCRIPT,
        SHORT,
      ),
      config: createAsset(JSON.stringify(config), JSON_TYPE, SHORT),
      policy: createAsset(JSON.stringify(book.current), JSON_TYPE, SHORT),
      notices: new Map(
        book.notices.map((notice) => [
          notice.hash,
          createAsset(JSON.stringify(notice), JSON_TYPE, FRESH, 'accept-encoding, accept-language'),
        ]),
      ),
      published: new Map(),
    })
  }
  const assetsOf = (name: string) => {
    siteOf(sites, name)
    return assets.get(name)!
  }
  // A file may be asked for by its name alone: the hash or the version in it says all there is to say.
  for (const [name, content] of [scripts.ui, scripts.settings, scripts.account, scripts.pinned]) {
    app.get(`/${name}`, createAsset(content, JAVASCRIPT, IMMUTABLE))
  }
  app.openapi(scriptRoute, (c) => assetsOf(c.req.valid('param').site).script(c))
  // Made ahead, so their types can't be told from a body: `never` stands for the answer that the route describes.
  app.openapi(configRoute, (c) => assetsOf(c.req.valid('param').site).config(c) as never)
  app.openapi(policyRoute, (c) => assetsOf(c.req.valid('param').site).policy(c) as never)
  app.openapi(noticeRoute, (c) => {
    const { site: name } = c.req.valid('param')
    const { lang, hash } = c.req.valid('query')
    const site = siteOf(sites, name)
    const made = assetsOf(name)
    if (hash === undefined) {
      // The page's language, then the browser's, then the policy's default.
      const browser = parseAccept(c.req.header('accept-language') ?? '').map(({ type }) => type)
      return made.notices.get(site.book.notice([...(lang ? [lang] : []), ...browser]).hash)!(c) as never
    }
    if (lang !== undefined) throw new InputError('lang', 'nothing beside hash, which is of one language')
    return publishedNotice(site, made, hash)(c) as never
  })
}
