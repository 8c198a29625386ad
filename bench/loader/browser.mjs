/**
 * Chromium, spoken to over a pipe in as few words as can be. A driver like Playwright enables the inspector's domains in each
 * page; V8 then parses a function again to know its lines, which costs a script that runs once half as much again.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const flags = ['--headless', '--no-sandbox', '--no-first-run', '--disable-gpu', '--disable-background-networking']

/** `send` calls a method of the DevTools protocol; `on` hears of one kind of event, the last listener alone. */
export function launch(executable) {
  const profile = mkdtempSync(join(tmpdir(), 'avow-chromium-'))
  const child = spawn(executable, [...flags, '--remote-debugging-pipe', `--user-data-dir=${profile}`, 'about:blank'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
  })
  const [, , , input, output] = child.stdio
  const waiting = new Map()
  const listeners = new Map()
  let calls = 0
  let rest = ''
  output.setEncoding('utf8').on('data', (text) => {
    const messages = (rest + text).split('\0')
    rest = messages.pop()
    for (const { id, method, params, result, error } of messages.map((message) => JSON.parse(message))) {
      if (!id) listeners.get(method)?.(params)
      else if (error) waiting.get(id).reject(new Error(error.message))
      else waiting.get(id).resolve(result)
      waiting.delete(id)
    }
  })
  child.once('exit', (code) => {
    for (const { reject } of waiting.values()) reject(new Error(`Chromium ended with ${code}`))
  })

  return {
    send: (method, params = {}, sessionId = undefined) =>
      new Promise((resolve, reject) => {
        waiting.set(++calls, { resolve, reject })
        input.write(`${JSON.stringify({ id: calls, method, params, sessionId })}\0`)
      }),
    on: (method, listener) => listeners.set(method, listener),
    async close() {
      if (child.exitCode === null) {
        const ended = once(child, 'exit')
        child.kill()
        await ended
      }
      // Its helpers may write for a moment longer.
      rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
    },
  }
}
