/**
 * Records as Kantara Consent Receipts 1.1. Such a receipt says what was consented to and has no word for a denial: of a record
 * it names what was granted, and of one that grants nothing there is none.
 */
import type { Exported } from './formats.js'
import { addressOf, namesOf, type Published, titleOf } from './published.js'

/** Null for a record that grants nothing. */
export function kantaraLine(record: Exported, published: Published): string | null {
  const receipt = toKantara(record, published)
  return receipt && `${JSON.stringify(receipt)}\n`
}

/** Null for a record that grants nothing. */
export function toKantara({ evidence, identity }: Exported, published: Published) {
  const { policy } = published
  const granted = policy.categories.filter(({ id }) => evidence.choices[id] === true)
  if (granted.length === 0) return null
  const { controller } = policy
  const sensitive = granted.flatMap(({ sensitive = [] }) => sensitive)
  const decidedAt = evidence.clock === 'ok' ? evidence.decidedAt : evidence.recordedAt
  return {
    version: 'KI-CR-v1.1.0',
    jurisdiction: policy.jurisdictions.join(' '),
    // Seconds, by §4.2 of the specification.
    consentTimestamp: Math.floor(Date.parse(decidedAt) / 1000),
    collectionMethod: `${evidence.layer}: ${evidence.action}`,
    consentReceiptID: identity.id,
    language: evidence.notice.language,
    piiPrincipalId: identity.subject,
    piiControllers: [
      {
        piiController: controller.name,
        contact: controller.contact ?? controller.name,
        address: { streetAddress: controller.address, addressCountry: controller.country },
        email: controller.email,
        // Required there, and not in a policy.
        phone: controller.phone ?? 'none given',
      },
    ],
    policyUrl: addressOf(policy.policyUrl, published),
    services: [
      {
        service: evidence.site,
        purposes: granted.map((category) => ({
          purpose: `${titleOf(category, evidence.notice.language)}: ${category.purposes.join(', ')}`,
          purposeCategory: [category.id],
          consentType: 'EXPLICIT',
          piiCategory: namesOf(category),
          // Nothing that can be refused is what the service is there for.
          primaryPurpose: false,
          termination: `withdrawn at ${addressOf(policy.withdrawalUrl, published)}, after ${policy.inactivityDays} days without activity, or at ${evidence.validUntil}; data is kept: ${category.retention}`,
          thirdPartyDisclosure: category.recipients.length > 0,
          ...(category.recipients.length > 0 ? { thirdPartyName: category.recipients.join(', ') } : {}),
        })),
      },
    ],
    sensitive: sensitive.length > 0,
    spiCat: sensitive,
  }
}
