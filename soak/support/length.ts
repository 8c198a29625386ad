/** How long a run is: a minute beside the other tests, or `npm run soak`. */

export const isLong = process.env.AVOW_SOAK === 'long'

/** The short number, or the long one. */
export const times = (short: number, long: number): number => (isLong ? long : short)
