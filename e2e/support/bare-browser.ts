/**
 * A Chromium that nobody is attached to, since what is attached forbids prerendering. It opens one page, which tells the
 * story's server what there is to tell.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestInfo } from '@playwright/test'

export async function openBareBrowser(testInfo: TestInfo, address: string): Promise<AsyncDisposable> {
  const folder = await mkdtemp(join(tmpdir(), 'avow-bare-'))
  const { executablePath, args = [] } = testInfo.project.use.launchOptions ?? {}
  const all = [...args, '--headless=new', '--no-first-run', `--user-data-dir=${folder}`, address]
  const browser = spawn(executablePath!, all, { stdio: 'ignore' })
  const ended = once(browser, 'exit')
  return {
    async [Symbol.asyncDispose]() {
      browser.kill()
      await ended
      await rm(folder, { recursive: true, force: true, maxRetries: 3 })
    },
  }
}
