/** The demo's settings, from the environment into one checked object. */
import { InputError, parseOrigin, parsePort, parseRateLimit } from '@avow/server'

export interface DemoConfig {
  /** 0 takes any free port: for tests, since the log's origin then changes with every start. */
  readonly port: number
  readonly host: string
  /** Folder of everything the demo keeps. */
  readonly data: string
  /** Requests per address and minute; null for no limit. */
  readonly rateLimit: number | null
  /** Where browsers reach the demo when a proxy stands in front, such as `https://dash.example`. */
  readonly publicUrl: string | null
  /** Scheme-less address that names the log, where it isn't to be derived from the first address served under. */
  readonly origin: string | null
}

/** Throws `InputError` with a message that names the setting and the cure. */
export function parseConfig(env: Readonly<Record<string, string | undefined>>): DemoConfig {
  return {
    port: parsePort(env.PORT),
    host: env.HOST || '127.0.0.1',
    data: env.AVOW_DATA || './data',
    rateLimit: parseRateLimit(env.AVOW_RATE_LIMIT),
    publicUrl: parsePublicUrl(env.AVOW_PUBLIC_URL),
    origin: parseOrigin(env.AVOW_ORIGIN),
  }
}

function parsePublicUrl(text: string | undefined): string | null {
  if (!text) return null
  const url = URL.canParse(text) ? new URL(text) : null
  if (!url || !/^https?:$/.test(url.protocol) || url.pathname !== '/' || url.search || url.hash) {
    throw new InputError('AVOW_PUBLIC_URL', 'scheme and host and nothing more, such as https://dash.example')
  }
  return url.origin
}
