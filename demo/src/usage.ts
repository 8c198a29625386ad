/** Usage figures of an invented customer. The same on every day and every machine, so that screenshots can be compared. */

export interface Series {
  readonly name: string
  readonly unit: string
  /** One value a day, oldest first. */
  readonly daily: readonly number[]
  /** Whether the headline adds the days up or takes their average. */
  readonly headline: 'sum' | 'mean'
}

export interface Endpoint {
  readonly route: string
  readonly share: number
  readonly p50Ms: number
  readonly p99Ms: number
}

const DAYS_KEPT = 90

/** A week's rhythm with slow growth and a little unevenness, without dice. */
function daily(level: number, growth: number, weekend: number, unevenness: number): number[] {
  return Array.from({ length: DAYS_KEPT }, (_, day) => {
    const isWeekend = day % 7 > 4
    const ripple = Math.sin(day * 2.399) + Math.sin(day * 0.731)
    return Math.round(level * (1 + (growth * day) / DAYS_KEPT) * (isWeekend ? weekend : 1) * (1 + unevenness * ripple))
  })
}

const all: readonly Series[] = [
  { name: 'Requests', unit: '', headline: 'sum', daily: daily(41_800, 0.32, 0.58, 0.05) },
  { name: 'Faces compared', unit: '', headline: 'sum', daily: daily(63_200, 0.38, 0.55, 0.06) },
  { name: 'Median latency', unit: ' ms', headline: 'mean', daily: daily(43, -0.1, 0.94, 0.03) },
]

export const endpoints: readonly Endpoint[] = [
  { route: 'POST /v1/compare', share: 0.54, p50Ms: 39, p99Ms: 118 },
  { route: 'POST /v1/detect', share: 0.29, p50Ms: 27, p99Ms: 84 },
  { route: 'POST /v1/verify', share: 0.14, p50Ms: 44, p99Ms: 131 },
  { route: 'DELETE /v1/templates', share: 0.03, p50Ms: 12, p99Ms: 36 },
]

/** The last `days` days of each series. */
export function usage(days: number): readonly Series[] {
  return all.map((series) => ({ ...series, daily: series.daily.slice(-days) }))
}

export function headline({ daily, headline, unit }: Series): string {
  const sum = daily.reduce((total, value) => total + value, 0)
  const value = headline === 'sum' ? sum : Math.round(sum / daily.length)
  return value.toLocaleString('en-US') + unit
}

/** Change of the second half against the first, in per cent: negative is less. */
export function trendPercent({ daily }: Series): number {
  const half = Math.floor(daily.length / 2)
  const mean = (values: readonly number[]) => values.reduce((total, value) => total + value, 0) / values.length
  return Math.round((mean(daily.slice(-half)) / mean(daily.slice(0, half)) - 1) * 100)
}
