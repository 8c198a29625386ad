/** A progress bar on standard error, where somebody is looking at it. */

const WIDTH = 30

/** Answers a function to be told how far it is; the last call, at `of`, ends the line. */
export function showProgress(what: string): (done: number, of: number) => void {
  if (!process.stderr.isTTY) return () => {}
  let shown = ''
  return (done, of) => {
    const share = of === 0 ? 1 : done / of
    const filled = Math.floor(share * WIDTH)
    const line = `${what} ${'█'.repeat(filled)}${'░'.repeat(WIDTH - filled)} ${Math.floor(share * 100)} % (${done} of ${of})`
    if (line === shown && done < of) return
    shown = line
    process.stderr.write(`\r${line}${done >= of ? '\n' : ''}`)
  }
}
