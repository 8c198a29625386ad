/** What may throw, and must not throw into the page. */

/**
 * What `act` answers, or null where it fails: what failed stays as it was, the rest goes on. `expected` is for what is
 * nobody's mistake (cookies and storage that are forbidden or full, a cookie that is none) and goes unsaid.
 */
export function attempt<T>(act: () => T, expected?: boolean): T | null {
  try {
    return act()
  } catch (problem) {
    // Safe: nothing is granted that was not, and nobody relies on what was not answered.
    if (!expected) console.error('avow:', problem)
    return null
  }
}
