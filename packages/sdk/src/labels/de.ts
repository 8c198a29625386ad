/** The SDK's own words in German, merged into notices when a policy is published. */
import type { Labels } from '../wire.js'

export const de: Labels = {
  title: 'Ihre Privatsphäre',
  acceptAll: 'Alle akzeptieren',
  rejectAll: 'Alle ablehnen',
  manage: 'Auswahl anpassen',
  save: 'Auswahl speichern',
  close: 'Schließen',
  preferencesTitle: 'Datenschutz-Auswahl',
  alwaysOn: 'Immer aktiv',
  saved: 'Ihre Auswahl ist gespeichert.',
  policyLink: 'Datenschutzerklärung',
  settingsTitle: 'Ihre Datenschutz-Auswahl',
  granted: 'Erlaubt',
  denied: 'Nicht erlaubt',
  undecided: 'Sie haben noch nicht gewählt. Nichts Optionales ist aktiv.',
  decidedAt: 'Gewählt am',
  consentId: 'Einwilligungs-ID',
  withdraw: 'Einwilligung widerrufen',
  change: 'Auswahl ändern',
  noRecord: 'Sie haben abgelehnt. Zu dieser Auswahl wird nichts gespeichert, was Sie identifiziert.',
  heldText: 'Dieser Inhalt wird gezeigt, sobald Sie dies erlauben: {category}.',
  heldAllow: 'Erlauben und anzeigen',
  gpcHonoured: 'Das Widerspruchssignal Ihres Browsers wird beachtet: Nichts Optionales läuft.',
  adopted: 'Die Wahl, die Sie früher mit diesem Konto getroffen haben, gilt auch hier.',
}
