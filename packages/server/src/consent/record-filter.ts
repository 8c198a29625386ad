/** Which records are asked for: a query parsed at the door, and whether a record is among them. Pure. */
import { z } from '@hono/zod-openapi'
import { InputError } from '../problem.js'
import type { Facet } from './facet.js'
import { categoryName, type PolicyBook } from './policy.js'
import type { Evidence } from './record.js'

/** As `formats.md` lists them. */
export const ACTIONS = ['accept-all', 'reject-all', 'save', 'withdraw', 'lapse', 'link', 'api', 'import'] as const
/** `server`: of a lapse, which nobody made. */
export const LAYERS = ['banner', 'preferences', 'settings', 'placeholder', 'api', 'server'] as const

export const GPC = { true: true, false: false, none: null } as const

const time = z.iso.datetime({ error: 'a time in UTC, 2026-11-23T10:00:00Z' })

/** The parameters of a query, by name; an unknown one is refused by the object they are made part of. */
export const filterFields = {
  subject: z
    .string()
    .regex(/^[A-Za-z0-9_-]{43}$/, 'a consent id in full, 43 characters')
    .optional()
    .openapi({ description: 'a consent id' }),
  action: z.enum(ACTIONS).optional(),
  granted: categoryName.optional().openapi({ description: 'a category that was granted', example: 'analytics' }),
  denied: categoryName.optional().openapi({ description: 'a category that was denied', example: 'analytics' }),
  version: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/, 'the label of a policy version')
    .optional()
    .openapi({ description: 'the policy version that was cited, by its label', example: '2026-04' }),
  language: z
    .string()
    .regex(/^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$/, 'a language tag')
    .optional()
    .openapi({ description: 'of the notice', example: 'en' }),
  layer: z.enum(LAYERS).optional(),
  gpc: z
    .enum(['true', 'false', 'none'])
    .optional()
    .openapi({ description: 'Global Privacy Control; `none` where the browser said nothing' }),
  from: time.optional().openapi({ description: 'the first instant of recording that is asked for' }),
  to: time.optional().openapi({ description: 'the first instant that is not' }),
  order: z.enum(['newest', 'oldest']).default('newest'),
} as const

type Parsed = z.infer<z.ZodObject<typeof filterFields>>

export interface RecordFilter {
  readonly subject: string | null
  /** The site's own name for somebody. Never part of an address. */
  readonly account: string | null
  readonly action: (typeof ACTIONS)[number] | null
  readonly granted: string | null
  readonly denied: string | null
  readonly version: string | null
  readonly language: string | null
  readonly layer: (typeof LAYERS)[number] | null
  readonly gpc: keyof typeof GPC | null
  /** Unix milliseconds, `[from, to)` of the time of recording. */
  readonly from: number | null
  readonly to: number | null
  readonly order: 'newest' | 'oldest'
}

/**
 * `book`: what was ever published. Throws `InputError` for a time that ends before it begins, and for what no record can
 * have: an empty answer would look like one.
 */
export function toFilter(
  parsed: Parsed,
  account: string | null,
  book: Pick<PolicyBook, 'hasVersion' | 'hasCategory' | 'hasLanguage'>,
): RecordFilter {
  const { subject, action, granted, denied, version, language, layer, gpc, from, to, order } = parsed
  if (version !== undefined && !book.hasVersion(version))
    throw new InputError('version', 'the label of a policy version that was published here')
  if (language !== undefined && !book.hasLanguage(language))
    throw new InputError('language', 'a language that a notice was published in')
  for (const [field, category] of Object.entries({ granted, denied })) {
    if (category !== undefined && !book.hasCategory(category))
      throw new InputError(field, 'a category that a published policy asks about')
  }
  const filter = {
    subject: subject ?? null,
    account,
    action: action ?? null,
    granted: granted ?? null,
    denied: denied ?? null,
    version: version ?? null,
    language: language ?? null,
    layer: layer ?? null,
    gpc: gpc ?? null,
    from: from === undefined ? null : Date.parse(from),
    to: to === undefined ? null : Date.parse(to),
    order,
  }
  if (filter.from !== null && filter.to !== null && filter.from > filter.to)
    throw new InputError('from', 'a time that is not after `to`')
  return filter
}

/** Whether records of this facet are asked for, whoever they are about and whenever they were recorded. */
export function matchesFacet(filter: RecordFilter, { action, choices, gpc, language, layer, version }: Facet): boolean {
  const { granted, denied } = filter
  return (
    (filter.action === null || filter.action === action) &&
    (granted === null || (Object.hasOwn(choices, granted) && choices[granted] === true)) &&
    (denied === null || (Object.hasOwn(choices, denied) && choices[denied] === false)) &&
    (filter.version === null || filter.version === version) &&
    (filter.language === null || filter.language === language) &&
    (filter.layer === null || filter.layer === layer) &&
    (filter.gpc === null || GPC[filter.gpc] === gpc)
  )
}

/** Whether what was recorded is asked for, whoever it is about. */
export function matchesEvidence(filter: RecordFilter, evidence: Evidence): boolean {
  const { action, choices, gpc, layer, notice, policy } = evidence
  return (
    (filter.from === null || Date.parse(evidence.recordedAt) >= filter.from) &&
    (filter.to === null || Date.parse(evidence.recordedAt) < filter.to) &&
    matchesFacet(filter, { action, choices, gpc, language: notice.language, layer, version: policy.version })
  )
}
