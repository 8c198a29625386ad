/** The SDK's own words in English, merged into notices when a policy is published. */
import type { Labels } from '../wire.js'

export const en: Labels = {
  title: 'Your privacy',
  acceptAll: 'Accept all',
  rejectAll: 'Reject all',
  manage: 'Manage',
  save: 'Save choices',
  close: 'Close',
  preferencesTitle: 'Privacy choices',
  alwaysOn: 'Always on',
  saved: 'Your choice is saved.',
  policyLink: 'Privacy policy',
  settingsTitle: 'Your privacy choice',
  granted: 'Allowed',
  denied: 'Not allowed',
  undecided: 'You have not chosen yet. Nothing optional is running.',
  decidedAt: 'Chosen on',
  consentId: 'Consent ID',
  withdraw: 'Withdraw consent',
  change: 'Change choice',
  noRecord: 'You said no, so nothing that identifies you is kept about this choice.',
  heldText: 'This content is shown once you allow: {category}.',
  heldAllow: 'Allow and show',
  gpcHonoured: 'Your browser’s opt-out signal is honoured: nothing optional is running.',
  adopted: 'The choice you made earlier with this account is used here too.',
}
