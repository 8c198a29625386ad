/** A browser apart from the worker's, for what only a profile or the command line can set: preferences, switches left out. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserContext, chromium, type TestInfo } from '@playwright/test'

interface OwnBrowserOptions {
  /** As Chromium's profile has them: `{ profile: { default_content_setting_values: { cookies: 2 } } }`. */
  readonly preferences?: Readonly<Record<string, unknown>>
  readonly args?: readonly string[]
  /** Switches of Playwright's that would hide what the story is about. */
  readonly without?: readonly string[]
}

export interface OwnBrowser extends AsyncDisposable {
  readonly context: BrowserContext
  close(): Promise<void>
}

/** Nobody may keep anything: cookies are dropped, and whoever touches a storage gets an exception. */
export const allBlocked = { profile: { default_content_setting_values: { cookies: 2 } } }

export async function openOwnBrowser(
  testInfo: TestInfo,
  { preferences = {}, args = [], without = [] }: OwnBrowserOptions,
): Promise<OwnBrowser> {
  const folder = await mkdtemp(join(tmpdir(), 'avow-browser-'))
  await mkdir(join(folder, 'Default'))
  await writeFile(join(folder, 'Default', 'Preferences'), JSON.stringify(preferences))
  const { launchOptions = {}, locale } = testInfo.project.use
  const context = await chromium.launchPersistentContext(folder, {
    ...launchOptions,
    ...(locale === undefined ? {} : { locale }),
    args: [...(launchOptions.args ?? []), ...args],
    ignoreDefaultArgs: [...without],
  })
  const close = async () => {
    await context.close()
    await rm(folder, { recursive: true, force: true })
  }
  return { context, close, [Symbol.asyncDispose]: close }
}
