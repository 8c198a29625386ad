/** @jsxImportSource hono/jsx */
/** A line of values as inline SVG. Attributes only: the page's policy allows no inline style. */

const WIDTH = 240
const HEIGHT = 56
const PAD = 4

/** The points of the line, lowest value at the bottom. */
export function points(values: readonly number[]): [x: number, y: number][] {
  const low = Math.min(...values)
  const range = Math.max(...values) - low || 1
  const step = (WIDTH - 2 * PAD) / Math.max(values.length - 1, 1)
  const round = (value: number) => Math.round(value * 10) / 10
  return values.map((value, index) => [
    round(PAD + index * step),
    round(HEIGHT - PAD - ((value - low) / range) * (HEIGHT - 2 * PAD)),
  ])
}

export function Sparkline({ values, label }: { values: readonly number[]; label: string }) {
  const line = points(values)
  const path = line.map(([x, y], index) => `${index === 0 ? 'M' : 'L'}${x} ${y}`).join('')
  const last = line.at(-1)
  return (
    <svg class="spark" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={label} preserveAspectRatio="none">
      <path class="area" d={`${path}L${last?.[0]} ${HEIGHT}L${PAD} ${HEIGHT}Z`} />
      <path class="line" d={path} fill="none" vector-effect="non-scaling-stroke" />
    </svg>
  )
}
