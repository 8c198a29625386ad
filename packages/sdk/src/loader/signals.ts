/** What the page's other scripts are told in Google's way: Consent Mode v2, and an event in the `dataLayer`. */
import type { Choices, SiteConfig } from '../wire.js'
import { type Consent, deny } from './consent.js'

/** Always denied: Avow asks for no advertising, so nothing here can grant it. */
const never = ['ad_storage', 'ad_user_data', 'ad_personalization']

interface SignalsPage {
  /** Anything: what is in it was put there by others. */
  dataLayer?: ({ readonly 0?: unknown } | null | undefined)[]
}

/** Tells the state now and at each change. Nothing, where the site has no `consentMode`. */
export function tellSignals(window: Window, { consentMode }: SiteConfig, consent: Consent): void {
  if (!consentMode) return
  const page = window as SignalsPage
  page.dataLayer ??= []
  const layer = page.dataLayer
  // Google reads commands from `arguments` objects and passes over arrays in silence.
  function gtag(..._: unknown[]): void {
    // biome-ignore lint/complexity/noArguments: see above.
    layer.push(arguments as never)
  }
  let command = 'default'
  const tell = () => {
    const granted = consent.granted()
    const types: Record<string, string> = {}
    for (const type of never) types[type] = 'denied'
    for (const category of Object.keys(consentMode)) {
      for (const type of consentMode[category]!) types[type] = granted.includes(category) ? 'granted' : 'denied'
    }
    gtag('consent', command, types)
    command = 'update'
    const avow: Choices | undefined = consent.decision() ? deny(consent.site, granted) : undefined
    layer.push({ event: 'avow', avow } as never)
  }
  if (layer.some((one) => one?.[0] === 'js' || one?.[0] === 'config'))
    console.error('avow: Google’s tag started before consent mode was set: put the tag of Avow first, without async')
  tell()
  consent.subscribe(tell)
}
