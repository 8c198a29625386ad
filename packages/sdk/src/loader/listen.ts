/** One listener for several events of the window, before anybody in the page can stop them. */
export function listen(names: readonly string[], listener: (event: Event) => void): void {
  for (const name of names) addEventListener(name, listener, true)
}
