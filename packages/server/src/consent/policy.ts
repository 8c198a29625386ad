/**
 * A site's privacy policy as one JSON document, and the notices made of it: for each language, all the words a visitor is
 * shown. Both are named by their hash, so that a record that cites them covers every word.
 */
import type { Labels, Notice, PolicyRef, SiteConfig } from '@avow/sdk/wire'
import { z } from '@hono/zod-openapi'
import { InputError, inputErrorOf } from '../problem.js'
import { canonicalText, hashDocument } from './document.js'
import type { SetPageOptions } from './page-options.js'

const text = z.string().min(1).max(4000)
const language = z.string().regex(/^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$/)
const texts = z.record(language, text)

/** A category names switches in cookies and attributes, so it stays plain; and no object has it before it is put there. */
export const categoryName = z.string().regex(/^(?!constructor$)[a-z][a-z0-9-]{0,31}$/)

const category = z.strictObject({
  id: categoryName,
  required: z.boolean(),
  legalBasis: text,
  purposes: z.array(text).min(1),
  personalData: z.array(text),
  recipients: z.array(text),
  retention: text,
  region: text,
  /** Which of it is sensitive, by the kinds the law has (GDPR art. 9); left out for none. */
  sensitive: z.array(text).optional(),
  texts: z.record(language, z.strictObject({ title: text, description: text })),
})

const cookie = z.strictObject({
  /** Exact, but for `*`, which stands for any characters; two others at least, or it would be everybody's. */
  name: z.string().regex(/^(?=\**[^*]\**[^*])[^\s;,=]+$/, 'a name, or a pattern with two characters beside *'),
  kind: z.enum(['cookie', 'local', 'session']),
  category: categoryName,
  provider: text,
  lifetime: texts,
  purpose: texts,
  /** Why nothing works without it: for every cookie of `necessary`, and for no other. */
  necessaryBecause: texts.optional(),
})

export const policySchema = z.strictObject({
  format: z.literal('avow-policy@v1'),
  version: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/),
  /** A material version asks everybody again; an editorial one nobody. */
  material: z.boolean(),
  effective: z.iso.date(),
  controller: z.strictObject({
    name: text,
    address: text,
    email: z.email(),
    country: z.string().length(2),
    phone: text.optional(),
    /** Whom to ask there; the controller, if left out. */
    contact: text.optional(),
  }),
  policyUrl: text,
  withdrawalUrl: text,
  jurisdictions: z.array(text).min(1),
  rights: z.array(text).min(1),
  inactivityDays: z.int().min(1).max(400),
  maxAgeDays: z.int().min(1).max(400),
  crossDevice: z.boolean(),
  defaultLanguage: language,
  categories: z.array(category).min(2).max(16),
  cookies: z.array(cookie).max(500),
  texts: z.record(language, z.strictObject({ banner: text })),
})

export type Policy = z.infer<typeof policySchema>

/**
 * What all choices of a record may take as text, `"analytics":false,` each: then its evidence fits what every evidence is
 * filled up to (`ledger/seal.ts`), whatever else it says. With more, a refusal could be longer than a grant. Eight names of
 * 32 fit, and fifteen of 14.
 */
const CHOICES_LIMIT = 350

/** Checks a policy file. Throws `InputError` naming the first field that is off, and what to write instead. */
export function parsePolicy(input: unknown): Policy {
  const parsed = policySchema.safeParse(input)
  if (!parsed.success) throw inputErrorOf(parsed.error, 'policy', 'policy.')
  const policy = parsed.data
  const ids = policy.categories.map(({ id }) => id)
  if (new Set(ids).size < ids.length) throw new InputError('policy.categories', 'each id once')
  const required = policy.categories.filter((category) => category.required)
  if (required.length !== 1 || required[0]?.id !== 'necessary') {
    throw new InputError('policy.categories', 'exactly one required category, called necessary')
  }
  const denied = optionalCategories(policy).map((id) => `${JSON.stringify(id)}:false,`)
  if (denied.join('').length > CHOICES_LIMIT) {
    throw new InputError(
      'policy.categories',
      'fewer, or shorter ids: the length of a record would tell what was chosen',
    )
  }
  const languages = Object.keys(policy.texts)
  if (!languages.includes(policy.defaultLanguage))
    throw new InputError('policy.texts', 'the default language among them')
  for (const language of languages) {
    const complete = (words: Record<string, unknown>, field: string) => {
      if (!(language in words))
        throw new InputError(`policy.${field}.${language}`, 'a text in every language of policy.texts')
    }
    for (const { id, texts } of policy.categories) complete(texts, `categories.${id}.texts`)
    for (const { name, lifetime, purpose, necessaryBecause } of policy.cookies) {
      complete(lifetime, `cookies.${name}.lifetime`)
      complete(purpose, `cookies.${name}.purpose`)
      if (necessaryBecause) complete(necessaryBecause, `cookies.${name}.necessaryBecause`)
    }
  }
  for (const { name, category, necessaryBecause } of policy.cookies) {
    if (!ids.includes(category)) throw new InputError(`policy.cookies.${name}.category`, 'the id of a category')
    if (category === 'necessary' && !necessaryBecause) {
      throw new InputError(`policy.cookies.${name}.necessaryBecause`, 'why nothing works without it')
    }
    // Shown beside its switch it would talk somebody into what is theirs to refuse.
    if (category !== 'necessary' && necessaryBecause) {
      throw new InputError(`policy.cookies.${name}.necessaryBecause`, 'nothing, since the cookie can be switched off')
    }
  }
  return policy
}

/** The categories a visitor is asked about, in the order of the policy. */
export const optionalCategories = (policy: Policy): string[] =>
  policy.categories.filter((category) => !category.required).map(({ id }) => id)

export const policyRef = (policy: Policy): PolicyRef => ({ version: policy.version, hash: hashDocument(policy) })

const must = (words: Readonly<Record<string, string>>, language: string): string => {
  const word = words[language]
  if (word === undefined) throw new Error(`a policy passed its check without a text in ${language}`)
  return word
}

const RTL_LANGUAGES = ['ar', 'he', 'fa', 'ur', 'yi', 'ps', 'sd', 'ug', 'dv', 'ckb']
const RTL_SCRIPTS = ['arab', 'hebr', 'thaa']

/** Pages say `no` for either of two languages that are read by all who read one of them. */
const NORWEGIAN = ['no', 'nb', 'nn']

/** Tags under which the words that are asked for may be found, the nearest first. Old tags count as what replaced them. */
function tagsOf(tag: string): string[] {
  let canonical = tag
  try {
    canonical = Intl.getCanonicalLocales(tag)[0] ?? tag
  } catch {
    // No tag at all: whatever a page has in `lang`. Nothing is found by it.
  }
  const [language = ''] = canonical.split('-')
  return [canonical, language, ...(NORWEGIAN.includes(language) ? NORWEGIAN : [])]
}

/**
 * The direction of a language tag's script: by the script where the tag names one (`az-Arab`, `ur-Latn`; RFC 5646 §2.2.3),
 * else by the language. Lists of our own, not `Intl`: the notice's hash covers it, so it must be the same on every Node.
 */
export function directionOf(tag: string): Notice['dir'] {
  const [language = '', ...rest] = tag.toLowerCase().split('-')
  // Behind up to three extensions of the language, which have three letters; a variant of four begins with a digit.
  const script = rest[rest.findIndex((subtag) => !/^[a-z]{3}$/.test(subtag))]
  const isRtl = /^[a-z]{4}$/.test(script ?? '') ? RTL_SCRIPTS.includes(script!) : RTL_LANGUAGES.includes(language)
  return isRtl ? 'rtl' : 'ltr'
}

/** All the words that one language of a policy shows: its own texts and the SDK's labels, under one hash. */
export function createNotice(policy: Policy, language: string, words: Labels): Notice {
  const content = {
    format: 'avow-notice@v1' as const,
    policy: policyRef(policy),
    language,
    dir: directionOf(language),
    text: policy.texts[language]?.banner ?? '',
    policyUrl: policy.policyUrl,
    categories: policy.categories.map(({ id, texts, required }) => ({
      id,
      title: texts[language]?.title ?? id,
      description: texts[language]?.description ?? '',
      required,
    })),
    cookies: policy.cookies.map(({ name, category, provider, purpose, lifetime, necessaryBecause }) => ({
      name,
      category,
      provider,
      purpose: must(purpose, language),
      lifetime: must(lifetime, language),
      ...(necessaryBecause && { necessaryBecause: must(necessaryBecause, language) }),
    })),
    words,
  }
  return { ...content, hash: hashDocument(content) }
}

/** The default language first, then those that both the policy and the SDK's labels speak. */
export function noticesOf(policy: Policy, labels: Readonly<Record<string, Labels>>): Notice[] {
  const languages = [policy.defaultLanguage, ...Object.keys(policy.texts).filter((l) => l !== policy.defaultLanguage)]
  return languages.map((language) => {
    const words = labels[language]
    if (!words)
      throw new InputError(`policy.texts.${language}`, `a language of the SDK: ${Object.keys(labels).join(', ')}`)
    return createNotice(policy, language, words)
  })
}

/** A document as it was published: what the ledger keeps of it. */
export interface Published {
  readonly kind: 'policy' | 'notice'
  readonly hash: string
  readonly version: string
  readonly language: string | null
  readonly body: string
}

/** What publishing a policy puts into the ledger, in this order: a notice is never there before its policy. */
export function publication(policy: Policy, notices: readonly Notice[]): Published[] {
  const { version, hash } = policyRef(policy)
  return [
    { kind: 'policy', hash, version, language: null, body: canonicalText(policy) },
    ...notices.map(
      ({ hash, ...content }): Published => ({
        kind: 'notice',
        hash,
        version,
        language: content.language,
        body: canonicalText({ ...content, hash }),
      }),
    ),
  ]
}

/** When something was logged is in Unix milliseconds. */
export interface LoggedPolicy extends PolicyRef {
  readonly material: boolean
  readonly loggedAt: number
  readonly notices: readonly { readonly hash: string; readonly language: string; readonly loggedAt: number }[]
}

/** What a site has published so far, and which of it is shown today. */
export class PolicyBook {
  readonly current: Policy
  readonly ref: PolicyRef
  /** The default language first. */
  readonly notices: readonly Notice[]
  readonly #policies = new Map<string, { policy: Policy; hash: string }>()
  readonly #order: string[] = []
  readonly #notices = new Map<string, { version: string; language: string | null; body: string }>()
  readonly #since: ReadonlyMap<string, number>

  /** `since`: when documents were logged, by hash, Unix milliseconds. */
  constructor(
    published: readonly Published[],
    current: Policy,
    notices: readonly Notice[],
    since: ReadonlyMap<string, number> = new Map(),
  ) {
    this.#since = since
    this.current = current
    this.ref = policyRef(current)
    this.notices = notices
    for (const { kind, hash, version, language, body } of published) {
      if (kind === 'notice') this.#notices.set(hash, { version, language, body })
      else {
        this.#policies.set(version, { policy: JSON.parse(body), hash })
        this.#order.push(version)
      }
    }
  }

  /** The policy of this label and hash; null if it was never published here. */
  find({ version, hash }: PolicyRef): Policy | null {
    const published = this.#policies.get(version)
    return published?.hash === hash ? published.policy : null
  }

  /** Whether this notice was published for this version in this language. */
  hasNotice(hash: string, version: string, language: string): boolean {
    const notice = this.#notices.get(hash)
    return notice?.version === version && notice.language === language
  }

  /** Whether anything was ever published under this label. */
  hasVersion(version: string): boolean {
    return this.#policies.has(version)
  }

  /** Whether any policy that was published asks about this category. */
  hasCategory(category: string): boolean {
    return [...this.#policies.values()].some(({ policy }) => optionalCategories(policy).includes(category))
  }

  /** Whether any notice was published in this language. */
  hasLanguage(language: string): boolean {
    return [...this.#notices.values()].some((notice) => notice.language === language)
  }

  /** The notice that was published under this hash, as JSON, whatever policy is in force; null if none was. */
  noticeBody(hash: string): string | null {
    return this.#notices.get(hash)?.body ?? null
  }

  /** All that was logged, in the order of their publication. */
  get logged(): LoggedPolicy[] {
    return this.#order.flatMap((version) => {
      const { hash, policy } = this.#policies.get(version)!
      const loggedAt = this.loggedAt(hash)
      if (loggedAt === null) return []
      const notices = [...this.#notices].flatMap(([notice, { version: of, language }]) => {
        const noticedAt = this.loggedAt(notice)
        return of === version && language !== null && noticedAt !== null
          ? [{ hash: notice, language, loggedAt: noticedAt }]
          : []
      })
      return [{ version, hash, material: policy.material, loggedAt, notices }]
    })
  }

  /** When what has this hash was logged, Unix milliseconds; null where it wasn't, as in an older copy. */
  loggedAt(hash: string): number | null {
    return this.#since.get(hash) ?? null
  }

  /** The labels under which a choice still stands: the newest material version up to today's, and the editorial ones since. */
  get accepts(): string[] {
    const until = this.#order.slice(0, this.#order.indexOf(this.current.version) + 1)
    return until.slice(this.#newestMaterial(until))
  }

  /**
   * The same as of an instant, Unix milliseconds, by what had been logged by then. A version that came later is among them:
   * who cites it by a clock that runs behind agreed to nothing that was replaced.
   */
  acceptsAt(at: number): string[] {
    const count = this.#order.filter((version) => this.#sinceOf(version) <= at).length
    return this.#order.slice(this.#newestMaterial(this.#order.slice(0, count)))
  }

  /** What replaced a version first, as of an instant: a material one that was logged after it. Null where none had been. */
  replacedBy(version: string, at: number): PolicyRef | null {
    const next = this.#order
      .slice(this.#order.indexOf(version) + 1)
      .find((later) => this.#policies.get(later)?.policy.material && this.#sinceOf(later) <= at)
    return next === undefined ? null : { version: next, hash: this.#policies.get(next)!.hash }
  }

  #newestMaterial(versions: readonly string[]): number {
    const found = versions.findLastIndex((version) => this.#policies.get(version)?.policy.material)
    return Math.max(found, 0)
  }

  /** What isn't logged, as in an older copy, has replaced nothing that anybody could prove. */
  #sinceOf(version: string): number {
    return this.loggedAt(this.#policies.get(version)!.hash) ?? Number.POSITIVE_INFINITY
  }

  /**
   * The notice in the first of these languages that there is one in, else the default's. In that language: by the tag itself, by its
   * first subtag, or as it is spoken elsewhere, `pt-BR` for `pt`.
   */
  notice(wanted: readonly string[]): Notice {
    const [first] = this.notices
    if (!first) throw new Error('a policy has at least one notice')
    const ways = [(tag: string) => tag, (tag: string) => tag.split('-')[0]]
    for (const one of wanted) {
      const tags = tagsOf(one).map((tag) => tag.toLowerCase())
      for (const way of ways) {
        for (const tag of tags) {
          const found = this.notices.find(({ language }) => way(language.toLowerCase()) === tag)
          if (found) return found
        }
      }
    }
    return first
  }

  /** What every page of the site must know before anybody decides. Every page pays for it, so it has only what is set. */
  siteConfig(
    site: string,
    files: Pick<SiteConfig, 'ui' | 'settings' | 'account'>,
    options: SetPageOptions,
  ): SiteConfig {
    const categories = optionalCategories(this.current)
    return {
      site,
      policy: this.ref,
      accepts: this.accepts,
      categories,
      cookies: this.current.cookies
        .filter((cookie) => categories.includes(cookie.category))
        .map(({ name, kind, category }) => ({ name, kind, category })),
      languages: this.notices.map((notice) => notice.language),
      inactivityDays: this.current.inactivityDays,
      maxAgeDays: this.current.maxAgeDays,
      ...files,
      ...(this.current.crossDevice ? { crossDevice: true } : {}),
      ...options,
    }
  }
}

/**
 * Which of a policy's documents are still to be published. Throws if the label was published with other content: what
 * people agreed to under it can't be changed afterwards; nor can when it ends for want of activity, by a version that asks nobody.
 */
export function unpublished(published: readonly Published[], policy: Policy, notices: readonly Notice[]): Published[] {
  const { version, hash } = policyRef(policy)
  const before = published.find((document) => document.kind === 'policy' && document.version === version)
  if (before && before.hash !== hash) {
    throw new InputError(
      'policy.version',
      `a new label: ${version} was published with other content, which stays as it is. Give the change a label of its own, with "material": false if nobody needs to be asked again`,
    )
  }
  const newest = published.findLast(({ kind }) => kind === 'policy')
  const { inactivityDays } = newest ? (JSON.parse(newest.body) as Policy) : policy
  if (!before && !policy.material && policy.inactivityDays !== inactivityDays) {
    throw new InputError(
      'policy.inactivityDays',
      `${inactivityDays}, as ${newest?.version} says, or "material": true, so that people are asked again`,
    )
  }
  const known = new Set(published.map((document) => document.hash))
  return publication(policy, notices).filter((document) => !known.has(document.hash))
}
