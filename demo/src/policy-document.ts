/** What the demo's own pages read from `policy.json`. The server has checked the whole document before they do. */

type Texts = Readonly<Record<string, string>>

export interface PolicyDocument {
  readonly version: string
  readonly effective: string
  readonly controller: { readonly name: string; readonly address: string; readonly email: string }
  readonly inactivityDays: number
  readonly maxAgeDays: number
  readonly categories: readonly {
    readonly id: string
    readonly required: boolean
    readonly texts: Readonly<Record<string, { readonly title: string; readonly description: string }>>
  }[]
  readonly cookies: readonly {
    readonly name: string
    readonly kind: 'cookie' | 'local' | 'session'
    readonly category: string
    readonly provider: string
    readonly lifetime: Texts
    readonly purpose: Texts
    readonly necessaryBecause?: Texts
  }[]
}
