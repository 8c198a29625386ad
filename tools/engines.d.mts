/** Types of engines.mjs, for the configuration of the browser stories. */
export interface FoundEngine {
  readonly name: 'chromium' | 'firefox' | 'webkit'
  /** What it is driven by: a file of that name in `e2e/engines`. */
  readonly driver: 'playwright' | 'puppeteer' | 'selenium'
  /** Of the program that is started: the browser, or for `selenium` its driver. */
  readonly path: string
  /** For `selenium`: the program that makes a screen nobody looks at. */
  readonly screen?: string
}
export function locateEngines(
  env?: NodeJS.ProcessEnv,
  own?: { readonly firefox: string; readonly webkit: string },
): { readonly engines: readonly FoundEngine[]; readonly missing: readonly string[] }
export function findEngines(): readonly FoundEngine[]
export function summarise(report: object): string[]
