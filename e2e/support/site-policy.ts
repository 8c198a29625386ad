/** The sites of the stories: one policy with two categories to decide on, and for each way a site may behave a site. */
import type { AvowOptions } from '@avow/server'

interface Declared {
  readonly name: string
  readonly kind: 'cookie' | 'local' | 'session'
  readonly category: 'necessary' | 'analytics' | 'maps'
}

/** What the fake tracker keeps, and what Avow does. Exact and by prefix, in each kind of store. */
export const declared: readonly Declared[] = [
  ...['__Host-avow', '__Secure-avow', 'avow'].map((name) => ({ name, kind: 'cookie', category: 'necessary' }) as const),
  { name: 'avow:*', kind: 'local', category: 'necessary' },
  { name: 'fr_visit', kind: 'cookie', category: 'analytics' },
  { name: '_ga*', kind: 'cookie', category: 'analytics' },
  { name: 'fr_queue', kind: 'local', category: 'analytics' },
  { name: 'fr_views', kind: 'session', category: 'analytics' },
  { name: 'map_view', kind: 'local', category: 'maps' },
]

const isNamed = (pattern: string, name: string) =>
  pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : pattern === name

/** Whether the policy declares it; `needsConsent`: in a category that has to be granted first. */
export const isDeclared = (kind: string, name: string, needsConsent = false): boolean =>
  declared.some(
    (one) => one.kind === kind && isNamed(one.name, name) && (!needsConsent || one.category !== 'necessary'),
  )

const titles = { necessary: 'Strictly necessary', analytics: 'Analytics', maps: 'Maps' }
const germanTitles = { necessary: 'Unbedingt erforderlich', analytics: 'Analyse', maps: 'Karten' }

/** Another policy is this one with other fields: `version` at least. */
export const sitePolicy = (more: Readonly<Record<string, unknown>> = {}) => ({
  format: 'avow-policy@v1',
  version: '2026-04',
  material: true,
  effective: '2026-04-01',
  controller: { name: 'Shop', address: '1 Example Street, Paris', email: 'privacy@shop.example', country: 'FR' },
  policyUrl: '/privacy',
  withdrawalUrl: '/account',
  jurisdictions: ['EU', 'US-CA'],
  rights: ['access', 'erasure'],
  inactivityDays: 30,
  maxAgeDays: 180,
  crossDevice: true,
  defaultLanguage: 'en',
  categories: (['necessary', 'analytics', 'maps'] as const).map((id) => ({
    id,
    required: id === 'necessary',
    legalBasis: id === 'necessary' ? 'contract' : 'consent',
    purposes: [id],
    personalData: ['online identifier'],
    recipients: [],
    retention: '30 days',
    region: 'EU',
    texts: {
      en: { title: titles[id], description: `About ${titles[id].toLowerCase()}.` },
      de: { title: germanTitles[id], description: `Zu: ${germanTitles[id]}.` },
    },
  })),
  cookies: declared.map(({ name, kind, category }) => ({
    name,
    kind,
    category,
    provider: 'Shop',
    lifetime: { en: '30 days', de: '30 Tage' },
    purpose: { en: 'what the stories look for', de: 'wonach die Geschichten suchen' },
    ...(category === 'necessary' && {
      necessaryBecause: { en: 'the choice is remembered', de: 'die Wahl wird gemerkt' },
    }),
  })),
  texts: {
    en: { banner: 'We count visits if you let us.' },
    de: { banner: 'Wir zählen Besuche, wenn Sie es erlauben.' },
  },
  ...more,
})

type SiteOptions = Omit<AvowOptions['sites'][number], 'site' | 'policy' | 'origins' | 'publicLog'>

/** The sites by name; each is opened where a story asks for it. */
export const sites = {
  shop: {},
  /** Is told to reload, and never reloaded. */
  never: { reload: 'never' },
  /** Asks in spite of Global Privacy Control. */
  ask: { gpc: 'ask' },
  /** One choice for all of `example.co.uk`; opened on hosts under it only. */
  shared: { domain: 'example.co.uk' },
  google: { consentMode: { analytics: ['analytics_storage'], maps: ['functionality_storage'] } },
  /** A refuser is known again, and the page's address is recorded. */
  known: { refusalId: true, page: true },
} as const satisfies Readonly<Record<string, SiteOptions>>

export type SiteName = keyof typeof sites
