/** The npm entry: the same loader for those who bundle, with methods instead of one function. */
import { parseSite } from './loader/config.js'
import { type Avow, type Files, start } from './loader/start.js'

export type { Action, Choices, Notice, SiteConfig, Submission, SubmissionAnswer } from './wire.js'

export interface Methods extends Omit<Avow, 'ask'> {
  /** Shows the preferences. */
  open(): void
  /** Refuses what is granted or not yet decided. */
  withdraw(): void
  /** The same, by the name that fits before anything is granted. */
  rejectAll(): void
  /** A grant counts only with the event of a person's own click. */
  acceptAll(event: Event): void
}

/** `site` is the site's configuration, `base` the address of the public surface. Throws where `site` is wrong. */
export function createConsent(site: unknown, base: string): Methods {
  const { ask, ...methods } = start(parseSite(site), base, '', ((file: string) =>
    file === 'ui' ? import('./ui/mount.js') : import('./ui/settings/mount.js')) as Files)
  return {
    ...methods,
    open: () => ask('open'),
    withdraw: () => ask('withdraw'),
    rejectAll: () => ask('rejectAll'),
    acceptAll: (event) => ask('acceptAll', event),
  }
}
