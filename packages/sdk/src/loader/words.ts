/** The words of a site that has no server: they stand in its configuration. */
import type { Notice, SiteConfig } from '../wire.js'
import { pickLanguage } from './rules.js'

/** Rejects where the configuration has no notice; then nobody is asked, and nothing granted. */
export const wordsOf =
  ({ notices = [], languages }: SiteConfig) =>
  async (language: string): Promise<Notice> => {
    const picked = pickLanguage([language, ...navigator.languages], languages)
    const notice = notices.find((one) => one.language === picked) ?? notices[0]
    if (!notice) throw new Error('without a server, "notices" in the configuration holds the words')
    return notice
  }
