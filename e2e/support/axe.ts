/** axe-core over what is on screen. */
import { AxeBuilder } from '@axe-core/playwright'
import type { Page } from '@playwright/test'

/** What WCAG 2.2 AA asks and a machine can tell, and what axe holds to be good practice. */
const tags = ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice']

/** One line a violation. The page must be of a context with `bypassCSP`: axe brings scripts and styles of its own. */
export async function violations(page: Page): Promise<string[]> {
  // Frames are not ours, and its other way opens a page for each analysis.
  const { violations } = await new AxeBuilder({ page }).withTags(tags).setLegacyMode().analyze()
  return violations.flatMap(({ id, help, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id} (${help}) at ${target.flat().join(' ')}: ${failureSummary}`),
  )
}
