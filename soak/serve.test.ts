/** `avow serve` from outside: what it says when it starts, and that it stops when it is told to. */
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import path from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { createPlace, type Place, startServer } from './support/place.js'

function placeOfOneTest(): Place {
  const place = createPlace()
  onTestFinished(() => place.remove())
  return place
}

test('an escrow in the data folder is warned of in one line; one outside it is well', async () => {
  const place = placeOfOneTest()
  const inside = await startServer(place)
  expect(await inside.end('SIGTERM')).toBe(0)
  expect(inside.stderr()).toMatch(/^warning: the escrow lies in the data folder.*set AVOW_ESCROW to where it is\n$/)
  const outside = await startServer(placeOfOneTest(), { env: { AVOW_ESCROW: path.join(place.folder, 'escrow') } })
  expect(await outside.end('SIGTERM')).toBe(0)
  expect(outside.stderr()).toBe('')
})

// Far less than the minute after which a command is given up by itself.
test.each([
  ['an anchor command that never ends', 'sleep 600 & wait; :'],
  ['one whose shell ends before what it started, which will not be asked to,', "(trap '' TERM; exec sleep 600) & wait"],
])(
  '%s doesn’t keep the server from stopping, and ends with it',
  async (_, command) => {
    const place = placeOfOneTest()
    const pipe = path.join(place.folder, 'pipe')
    execFileSync('mkfifo', [pipe])
    const server = await startServer(place, { env: { AVOW_ANCHOR: `exec 3>'${pipe}'; echo started >&3; ${command}` } })
    // Whoever has the pipe open is still running: it ends when the last of them does.
    const held = createReadStream(pipe)
    const isOver = once(held, 'end')
    await once(held, 'data')
    held.resume()
    expect(await server.end('SIGTERM')).toBe(0)
    await isOver
  },
  45_000,
)
