/** Anchors: the checkpoint leaves the house every hour, and a door that is shut is told, not fatal. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { testFolder } from '../test-folder.js'
import { type AnchorWorld, anchorTo, startAnchoring } from './anchor.js'

const checkpoint = 'dash.example/log/shop\n5\nhash\n\n— dash.example/log/shop signature\n'
const turn = () => new Promise<void>((resume) => setImmediate(resume))
const never = () => new AbortController().signal
const worldOf = (more: Partial<AnchorWorld> = {}): AnchorWorld => ({
  spawn: (command, options) => spawn(command, options),
  fetch: async () => new Response(''),
  timeout: never,
  later: () => () => {},
  wait: turn,
  ...more,
})
const send = (target: string, world: AnchorWorld) => anchorTo(target, world)(checkpoint, never())

test('a command gets the checkpoint on its standard input, byte for byte', async () => {
  const file = path.join(testFolder(), 'anchored')
  await send(`cat > '${file}'`, worldOf())
  expect(readFileSync(file, 'utf8')).toBe(checkpoint)
})

test('a command that fails, is not there or takes too long is a failure; one that does not read is none', async () => {
  await expect(send('exit 3', worldOf())).rejects.toThrow('status 3')
  await expect(send('no-such-command-here 2>/dev/null', worldOf())).rejects.toThrow('status 127')
  await expect(send('kill -9 $$', worldOf())).rejects.toThrow('SIGKILL')
  const slow = worldOf({ timeout: () => AbortSignal.abort() })
  await expect(send('cat', slow)).rejects.toThrow()
  await anchorTo('exec <&-; exit 0', worldOf())(checkpoint.repeat(100_000), never())
})

test('an address gets it as the body of a POST, and must answer that it is well', async () => {
  const sent: [string, RequestInit][] = []
  const answering = (status: number) =>
    worldOf({
      fetch: async (url, init) => {
        sent.push([url, init])
        return new Response(null, { status })
      },
    })
  await send('https://anchor.example/in', answering(204))
  expect(sent[0]).toMatchObject(['https://anchor.example/in', { method: 'POST', body: checkpoint }])
  await expect(send('https://anchor.example/in', answering(500))).rejects.toThrow('500')
})

test('it is anchored at start and every hour; a failure is told, and tried again the next hour', async () => {
  const [sent, warned]: [string[], string[]] = [[], []]
  const later: { ms: number; call: () => void }[] = []
  let isDown = false
  let size = 5
  const anchoring = startAnchoring({
    log: 'shop',
    checkpoint: async () => `size ${size}`,
    send: async (text) => {
      if (isDown) throw new TypeError('fetch failed', { cause: new Error('refused') })
      sent.push(text)
    },
    later: (ms, call) => {
      const waiting = { ms, call }
      later.push(waiting)
      return () => void later.splice(later.indexOf(waiting), 1)
    },
    warn: (line) => warned.push(line),
  })
  await turn()
  for (const down of [true, true, false]) {
    isDown = down
    size++
    expect(later.map(({ ms }) => ms)).toEqual([3_600_000])
    later.shift()!.call()
    await turn()
  }
  expect(sent).toEqual(['size 5', 'size 8'])
  expect(warned).toEqual(Array(2).fill(expect.stringMatching(/^ALARM shop: .*next try is in an hour: refused$/)))
  await anchoring.stop()
  expect(later).toEqual([])
})

/** Anchors to this, and answers what was started and what the operator was told. */
function anchoringTo(target: string, more: Partial<AnchorWorld>) {
  const warned: string[] = []
  const children: ChildProcess[] = []
  const world = worldOf({
    spawn: (command, options) => {
      const child = spawn(command, options)
      children.push(child)
      return child
    },
    ...more,
  })
  const anchoring = startAnchoring({
    log: 'shop',
    checkpoint: async () => checkpoint,
    send: anchorTo(target, world),
    later: () => () => {},
    warn: (line) => warned.push(line),
  })
  onTestFinished(() => {
    for (const { pid, exitCode, signalCode } of children)
      if (pid && exitCode === null && signalCode === null) process.kill(-pid, 'SIGKILL')
  })
  return { anchoring, warned, children }
}

test.each([
  ['a command that never ends', 'sleep 600 & wait; :', 'willing'],
  ['one that will not be asked to', 'trap "" TERM; sleep 600 & wait; :', 'stubborn'],
  [
    'one whose shell ends, and what that started will not be asked to',
    '(trap "" TERM; exec sleep 600) & wait',
    'orphaned',
  ],
])('%s ends when the server stops, with all that it started, and that is no alarm', async (_, command, kind) => {
  const pipe = path.join(testFolder(), 'pipe')
  execFileSync('mkfifo', [pipe])
  // Whoever has the pipe open is still running: it ends when the last of them does.
  const held = createReadStream(pipe)
  const isOver = once(held, 'end')
  let waited = 0
  const { anchoring, warned, children } = anchoringTo(`exec 3>'${pipe}'; echo started >&3; ${command}`, {
    async wait(ms) {
      // Time doesn't pass until whoever does end when asked to has ended.
      if (kind === 'willing') await isOver
      while (kind === 'orphaned' && children[0]?.signalCode === null) await turn()
      await turn()
      waited += ms
    },
  })
  await once(held, 'data')
  held.resume()
  await anchoring.stop()
  if (kind !== 'willing') expect(waited).toBe(1000)
  await isOver
  expect(warned).toEqual([])
})

test('an address that never answers is let go of when the server stops, and that is no alarm', async () => {
  let asked = () => {}
  const isAsked = new Promise<void>((resolve) => {
    asked = resolve
  })
  const { anchoring, warned } = anchoringTo('https://anchor.example/in', {
    fetch: (_url, { signal }) =>
      new Promise((_resolve, reject) => {
        signal!.addEventListener('abort', () => reject(signal!.reason))
        asked()
      }),
  })
  await isAsked
  await anchoring.stop()
  expect(warned).toEqual([])
})

test('a command that takes too long is ended too, and that is an alarm', async () => {
  const tooLong = new AbortController()
  const { anchoring, warned } = anchoringTo('sleep 600', { timeout: () => tooLong.signal })
  await turn()
  tooLong.abort()
  while (warned.length === 0) await turn()
  expect(warned).toEqual([expect.stringMatching(/^ALARM shop: .*in an hour: it took too long$/)])
  await anchoring.stop()
})
