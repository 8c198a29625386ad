/** A plugin of Rollup's. */
export function leanPreact(): {
  name: string
  resolveId(id: string): string | null
  load(id: string): { code: string; map: null } | null
  buildEnd(this: { error(text: string): void }, failure?: unknown): void
}
