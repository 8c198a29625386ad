/** What the description shows of documents: a small policy, and what is made of it by the same functions as always. */
import { labels } from '@avow/sdk/labels'
import type { SiteConfig } from '@avow/sdk/wire'
import type { Exported } from '../consent/exports/formats.js'
import { toJsonld } from '../consent/exports/jsonld.js'
import { toKantara } from '../consent/exports/kantara.js'
import { createNotice, type Policy, policyRef } from '../consent/policy.js'
import type { ParsedSubmission } from '../consent/record.js'
import { RECORD_EXAMPLE } from './openapi.js'

export const POLICY_EXAMPLE: Policy = {
  ...{ format: 'avow-policy@v1', version: '2026-04', material: true, effective: '2026-04-01' },
  controller: { name: 'Shop SAS', address: '1 rue de la Paix, Paris', email: 'privacy@shop.example', country: 'FR' },
  ...{ policyUrl: '/privacy', withdrawalUrl: '/account', jurisdictions: ['EU'], rights: ['access', 'erasure'] },
  ...{ inactivityDays: 30, maxAgeDays: 180, crossDevice: false, defaultLanguage: 'en' },
  categories: [
    {
      ...{ id: 'necessary', required: true, legalBasis: 'contract', purposes: ['keeping you signed in'] },
      ...{ personalData: ['session id'], recipients: [], retention: '30 days', region: 'EU' },
      texts: { en: { title: 'Necessary', description: 'Keeps you signed in.' } },
    },
    {
      ...{ id: 'analytics', required: false, legalBasis: 'consent', purposes: ['counting visits'] },
      ...{ personalData: ['online identifier'], recipients: [], retention: '30 days', region: 'EU' },
      texts: { en: { title: 'Analytics', description: 'Counts visits.' } },
    },
  ],
  cookies: [
    {
      ...{ name: '_shop_*', kind: 'cookie', category: 'analytics', provider: 'Shop' },
      ...{ lifetime: { en: '30 days' }, purpose: { en: 'counts visits' } },
    },
  ],
  texts: { en: { banner: 'We count visits if you let us.' } },
}

export const NOTICE_EXAMPLE = createNotice(POLICY_EXAMPLE, 'en', labels.en!)

const cited = {
  policy: policyRef(POLICY_EXAMPLE),
  notice: { hash: NOTICE_EXAMPLE.hash, language: NOTICE_EXAMPLE.language },
}

export const CONFIG_EXAMPLE: SiteConfig = {
  ...{ site: 'shop', policy: cited.policy, accepts: ['2026-04'], categories: ['analytics'] },
  cookies: [{ name: '_shop_*', kind: 'cookie', category: 'analytics' }],
  ...{ languages: ['en'], inactivityDays: 30, maxAgeDays: 180 },
  ...{ ui: 'avow-ui.3f9c2a.js', settings: 'avow-settings.9b07d1.js', account: 'avow-account.c42e85.js' },
}

export const SCRIPT_EXAMPLE = '(avowSite=>{…})({"site":"shop",…})\n'

export const SUBMISSION_EXAMPLE: ParsedSubmission = {
  ...{ id: RECORD_EXAMPLE.id, site: 'shop', secret: 'AAECAwQFBgcICQoLDA0ODw', action: 'accept-all' },
  ...{ choices: { analytics: true }, ...cited, ui: '3f9c2a', layer: 'banner', offered: ['reject-all', 'accept-all'] },
  ...{ decidedAt: RECORD_EXAMPLE.decidedAt, ageMs: 40, gpc: null, previous: null, sdk: '0.1.0' },
}

export const PROOF_EXAMPLE = 'c2sp.org/tlog-proof@v1\nextra …\nindex 1041\n…\n'

const { log, index, subject, recordedAt, validUntil, agent } = RECORD_EXAMPLE
const { id, site, action, choices, ui, layer, offered, decidedAt, sdk } = SUBMISSION_EXAMPLE

/** What becomes of the submission. */
const exported: Exported = {
  ...{ log, index },
  evidence: {
    ...{ site, action, choices, ...cited, ui, layer, offered, decidedAt, recordedAt, clock: 'ok', gpc: null, sdk },
    validUntil,
  },
  identity: { id, previous: null, subject, account: null, network: null, agent, page: null },
}

const published = { policy: POLICY_EXAMPLE, publicUrl: 'https://dash.example/_avow' }

export const JSONLD_EXAMPLE = toJsonld(exported, published)

export const KANTARA_EXAMPLE = toKantara(exported, published)
