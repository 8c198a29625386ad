/**
 * What the server asked of the operating system, in order, from the output of `strace -f -yy`: calls that another thread
 * interrupted are put together again, and stand twice: when they began and when they returned.
 */

export interface Call {
  readonly pid: string
  readonly name: string
  /** As strace prints them, descriptors with what they stand for: `7</data/ledger.db-wal>`. */
  readonly args: string
  /** Line on which it began. */
  readonly began: number
  /** Line on which it returned. */
  readonly returned: number
  readonly result: string
}

export function parseTrace(text: string): Call[] {
  const calls: Call[] = []
  const open = new Map<string, { name: string; args: string; began: number }>()
  for (const [line, said] of text.split('\n').entries()) {
    const parsed = /^(\d+) +(?:<\.\.\. (\w+) resumed>|(\w+)\()(.*)$/.exec(said)
    if (!parsed) continue
    const [, pid = '', resumed, name = resumed ?? '', rest = ''] = parsed
    if (rest.endsWith('<unfinished ...>')) {
      open.set(pid, { name, args: rest.slice(0, -'<unfinished ...>'.length), began: line })
      continue
    }
    const before = resumed ? open.get(pid) : undefined
    open.delete(pid)
    const ended = /^(.*)\) += (.*)$/.exec(rest)
    if (!ended) continue
    const [, args = '', result = ''] = ended
    calls.push({
      pid,
      name,
      args: (before?.args ?? '') + args,
      began: before?.began ?? line,
      returned: line,
      result,
    })
  }
  return calls
}
