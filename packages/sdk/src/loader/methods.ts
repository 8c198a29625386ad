/** The loader for those who bundle it: methods instead of one function, and category names that the compiler checks. */
import type { SiteConfig } from '../wire.js'
import { attempt } from './attempt.js'
import { parseSite } from './config.js'
import type { Start } from './gate.js'
import { tellSignals } from './signals.js'
import { type Avow, type Files, start } from './start.js'
import { wordsOf } from './words.js'

export interface Methods<Category extends string = string> extends Omit<Avow, 'ask' | 'whenGranted'> {
  /** Calls `start` with each grant, and what it returned when the grant ends: withdrawn here or in another tab, or lapsed. */
  whenGranted(category: Category, start: Start): void
  /** Shows the preferences. */
  open(): void
  /** Refuses what is granted or not yet decided. */
  withdraw(): void
  /** The same, by the name that fits before anything is granted. */
  rejectAll(): void
  /** A grant counts only with the event of a person's own click. */
  acceptAll(event: Event): void
  /** Takes these choices; what is not among them is denied. Granting needs the event of a person's own click. */
  save(choices: Readonly<Partial<Record<Category, boolean>>>, event: Event): void
  /** Links what is chosen to the account that `token` names: a JWT of the host's own, fresh. To be called at sign-in. */
  identify(token: string): void
  /** To be called at sign-out: the account's choice goes, the one made signed out is back. */
  forget(): void
}

/** How each of the other files is fetched. */
export type Fetches = { readonly [File in 'ui' | 'settings' | 'account']: () => Promise<unknown> }

/** Throws where `site` is wrong. `base`: see `createConsent`. */
export function createMethods<Category extends string>(
  site: SiteConfig,
  base: string | undefined,
  nonce: string | undefined,
  fetches: Fetches,
): Methods<Category> {
  const files = ((file: keyof Fetches) => fetches[file]()) as Files
  if (base === undefined) files.words = wordsOf(parseSite(site))
  const { ask, ...methods } = start(parseSite(site), base ?? '', nonce ?? '', files, tellSignals)
  const asking =
    (method: Parameters<typeof ask>[0]) =>
    (...args: unknown[]) =>
      // Nothing of ours throws into the page.
      void attempt(() => ask(method, ...args))
  if (site.button) asking('button')()
  return {
    ...methods,
    open: asking('open'),
    withdraw: asking('withdraw'),
    rejectAll: asking('rejectAll'),
    acceptAll: asking('acceptAll'),
    save: asking('save'),
    identify: asking('identify'),
    forget: asking('forget'),
  }
}
