/** Types of chromium.mjs, for the configuration of the browser stories. */
export function isExecutable(path: string): boolean
export function locateChromium(env?: NodeJS.ProcessEnv): string | null
export function installLine(): string
export function findChromium(): string
