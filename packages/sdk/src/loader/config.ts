/** What a site says about itself, checked once; past here it is trusted. */
import type { Layout, SiteConfig } from '../wire.js'

const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''
const isTexts = (value: unknown): boolean => Array.isArray(value) && value.length > 0 && value.every(isText)
const isDays = (value: unknown): boolean => typeof value === 'number' && value > 0 && value <= 3650

const layouts: readonly Layout[] = ['box', 'box-end', 'box-center', 'bar', 'bar-top']

/** Throws with the key that is wrong: a site that is half configured must not half work. */
export function parseSite(input: unknown): SiteConfig {
  const site = (input ?? {}) as SiteConfig
  // With words of its own it has no server, whose files and whose policy's hash it would have to name.
  const isOwn = Array.isArray(site.notices)
  const good: Record<string, boolean> = {
    site: isText(site.site),
    policy: isText(site.policy?.version) && (isOwn || isText(site.policy?.hash)),
    accepts: isTexts(site.accepts),
    categories:
      isTexts(site.categories) && site.categories.every((name) => /^(?!constructor$)[a-z][a-z0-9-]{0,31}$/.test(name)),
    cookies: Array.isArray(site.cookies),
    languages: isTexts(site.languages),
    inactivityDays: isDays(site.inactivityDays),
    maxAgeDays: isDays(site.maxAgeDays),
    ui: isOwn || isText(site.ui),
    settings: isOwn || isText(site.settings),
    account: isOwn || isText(site.account),
    notices:
      site.notices === undefined ||
      (isOwn && site.languages.every((one) => site.notices!.some((n) => n.language === one))),
    domain: site.domain === undefined || isText(site.domain),
    layout: site.layout === undefined || layouts.includes(site.layout),
  }
  for (const key in good) if (!good[key]) throw new Error(`site configuration: check "${key}"`)
  return site
}
