/** Types of chromium.mjs, for the configuration of the browser stories. */
export function locateChromium(env?: NodeJS.ProcessEnv): string | null
export function installLine(): string
export function findChromium(): string
