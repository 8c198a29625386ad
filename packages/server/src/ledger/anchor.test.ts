/** Anchors: the checkpoint leaves the house every hour, and a door that is shut is told, not fatal. */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, test } from 'vitest'
import { type AnchorWorld, anchorTo, startAnchoring } from './anchor.js'

const checkpoint = 'dash.example/log/shop\n5\nhash\n\n— dash.example/log/shop signature\n'
const never = () => new AbortController().signal
const worldOf = (more: Partial<AnchorWorld> = {}): AnchorWorld => ({
  spawn: (command, options) => spawn(command, options),
  fetch: async () => new Response(''),
  timeout: never,
  ...more,
})

test('a command gets the checkpoint on its standard input, byte for byte', async () => {
  const file = path.join(mkdtempSync(path.join(tmpdir(), 'avow-anchor-')), 'anchored')
  await anchorTo(`cat > '${file}'`, worldOf())(checkpoint)
  expect(readFileSync(file, 'utf8')).toBe(checkpoint)
})

test('a command that fails, is not there or takes too long is a failure; one that does not read is none', async () => {
  await expect(anchorTo('exit 3', worldOf())(checkpoint)).rejects.toThrow('status 3')
  await expect(anchorTo('no-such-command-here 2>/dev/null', worldOf())(checkpoint)).rejects.toThrow('status 127')
  await expect(anchorTo('kill -9 $$', worldOf())(checkpoint)).rejects.toThrow('SIGKILL')
  const slow = worldOf({ timeout: () => AbortSignal.abort() })
  await expect(anchorTo('cat', slow)(checkpoint)).rejects.toThrow()
  await anchorTo('exec <&-; exit 0', worldOf())(checkpoint.repeat(100_000))
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
  await anchorTo('https://anchor.example/in', answering(204))(checkpoint)
  expect(sent[0]).toMatchObject(['https://anchor.example/in', { method: 'POST', body: checkpoint }])
  await expect(anchorTo('https://anchor.example/in', answering(500))(checkpoint)).rejects.toThrow('500')
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
  const turn = () => new Promise<void>((resume) => setImmediate(resume))
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
