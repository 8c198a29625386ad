/** Days as they are counted here: whole ones in UTC, since 1970-01-01. */
export const DAY_MS = 86_400_000

/** The day of an instant, Unix milliseconds. */
export const dayOf = (ms: number): number => Math.floor(ms / DAY_MS)
