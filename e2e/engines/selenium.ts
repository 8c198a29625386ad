/**
 * The system's WebKitGTK, by its own WebDriver and on a screen of its own. Both are started here, and the driver is talked to
 * where it listens, so that Selenium looks for no driver and fetches none.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Builder, Key as Code, type WebDriver, type WebElement } from 'selenium-webdriver'
import type { FoundEngine } from '../../tools/engines.mjs'
import { freePort } from '../../tools/free-port.js'
import type { Engine, Key } from './engine.js'

const readyWithinMs = 20_000

const codes: Readonly<Record<Key, string>> = {
  Tab: Code.TAB,
  'Shift+Tab': Code.TAB,
  Enter: Code.ENTER,
  Space: Code.SPACE,
  Escape: Code.ESCAPE,
  PageDown: Code.PAGE_DOWN,
}

/** Its name, such as `:7`: the first that is free, which it says once it can be drawn on. */
async function openScreen(program: string): Promise<{ name: string; process: ChildProcess }> {
  const args = ['-displayfd', '3', '-screen', '0', '1400x1000x24', '-nolisten', 'tcp']
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] })
  const said = once(child.stdio[3]!, 'data').then(([data]) => `:${String(data).trim()}`)
  const ended = once(child, 'exit').then(([code]) => Promise.reject(new Error(`Xvfb ended with ${code}`)))
  return { name: await Promise.race([said, ended]), process: child }
}

async function ready(driver: ChildProcess, url: string): Promise<void> {
  const until = performance.now() + readyWithinMs
  while (performance.now() < until && driver.exitCode === null) {
    try {
      if ((await fetch(`${url}/status`)).ok) return
    } catch {
      // Not listening yet: asked again until the time is up.
    }
    await pause(30)
  }
  throw new Error(`WebKitWebDriver did not start within ${readyWithinMs} ms`)
}

export async function openSelenium({ path, screen }: FoundEngine): Promise<Engine> {
  const home = await mkdtemp(join(tmpdir(), 'avow-webkit-'))
  const drawn = await openScreen(screen!)
  const port = await freePort()
  const driver = spawn(path, ['--host=127.0.0.1', `--port=${port}`], {
    stdio: 'ignore',
    env: {
      ...process.env,
      ...{ DISPLAY: drawn.name, GDK_BACKEND: 'x11', NO_AT_BRIDGE: '1' },
      // Nothing of it is left in the home of whoever runs this.
      ...{ HOME: home, XDG_RUNTIME_DIR: home },
    },
  })
  const close = async () => {
    for (const one of [driver, drawn.process]) {
      if (one.exitCode !== null || one.signalCode !== null) continue
      const ended = once(one, 'exit')
      one.kill()
      await ended
    }
    await rm(home, { recursive: true, force: true, maxRetries: 3 })
  }
  const url = `http://127.0.0.1:${port}`
  const start = () =>
    new Builder()
      .disableEnvironmentOverrides()
      .usingServer(url)
      .withCapabilities({ browserName: 'MiniBrowser', acceptInsecureCerts: true })
      .build()
  try {
    await ready(driver, url)
    const first = start()
    const version = (await first.getCapabilities()).get('browserVersion')
    await first.quit()
    return { name: `WebKitGTK ${version}, by Selenium`, visit: async () => visit(await start()), close }
  } catch (error) {
    await close()
    throw error
  }
}

function visit(session: WebDriver) {
  let isFirst = true
  return {
    async open() {
      // A session begins with a window.
      if (!isFirst) await session.switchTo().newWindow('tab')
      isFirst = false
      const handle = await session.getWindowHandle()
      const show = async () => {
        if ((await session.getWindowHandle()) !== handle) await session.switchTo().window(handle)
      }
      return {
        async goto(url: string) {
          await show()
          await session.get(url)
        },
        async reload() {
          await show()
          await session.navigate().refresh()
        },
        async back() {
          await show()
          await session.navigate().back()
        },
        async run(expression: string) {
          await show()
          return session.executeScript(`return (${expression})`)
        },
        async click(expression: string) {
          await show()
          const element = await session.executeScript<WebElement | null>(`return (${expression})`)
          await element?.click()
          return element !== null
        },
        async press(key: Key) {
          await show()
          const actions = session.actions()
          if (key === 'Shift+Tab') actions.keyDown(Code.SHIFT)
          actions.keyDown(codes[key]).keyUp(codes[key])
          if (key === 'Shift+Tab') actions.keyUp(Code.SHIFT)
          await actions.perform()
        },
        async cookies() {
          await show()
          const all = await session.manage().getCookies()
          return all.map(({ name, value, path = '', secure = false, httpOnly = false, sameSite = '', expiry }) => ({
            ...{ name, value, path, secure, httpOnly, sameSite },
            expires: Number(expiry),
          }))
        },
        show,
        async picture() {
          await show()
          return Buffer.from(await session.takeScreenshot(), 'base64')
        },
      }
    },
    close: () => session.quit(),
  }
}
