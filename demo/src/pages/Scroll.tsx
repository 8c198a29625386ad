/** @jsxImportSource hono/jsx */
/** A wide table on a narrow screen: it scrolls in itself, by touch and, being focusable, by keyboard (WCAG 2.1.1). */
import type { Child } from 'hono/jsx'

export function Scroll({ label, children }: { label: string | undefined; children: Child }) {
  return (
    <section class="scroll" tabindex={0} aria-label={label}>
      {children}
    </section>
  )
}
