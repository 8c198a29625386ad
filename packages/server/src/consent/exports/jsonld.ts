/**
 * Records as JSON-LD after ISO/IEC TS 27560, by the guide of the W3C's Data Privacy Vocabulary, in terms of DPV 2.3 alone:
 * https://w3id.org/dpv/guides/consent-27560. Each is a document of its own, with its context: nothing is fetched to read it.
 */
import type { Exported } from './formats.js'
import { addressOf, namesOf, type Published, titleOf } from './published.js'

export const CONTEXT = {
  dpv: 'https://w3id.org/dpv#',
  'eu-gdpr': 'https://w3id.org/dpv/legal/eu/gdpr#',
  loc: 'https://w3id.org/dpv/loc#',
  'dpv-27560': 'https://w3id.org/dpv/schema/dpv-27560#',
  dct: 'http://purl.org/dc/terms/',
  skos: 'http://www.w3.org/2004/02/skos/core#',
  rdf: 'http://www.w3.org/1999/02/22-rdf-syntax-ns#',
  xsd: 'http://www.w3.org/2001/XMLSchema#',
  'dct:conformsTo': { '@type': '@id' },
  'dct:created': { '@type': 'xsd:dateTime' },
  'dpv:isIndicatedAtTime': { '@type': 'xsd:dateTime' },
  'dpv:isIndicatedBy': { '@type': '@id' },
  'dpv:isExercisedAt': { '@type': '@id' },
  'dpv:hasLegalBasis': { '@type': '@id' },
  'dpv:hasProcess': { '@type': '@id' },
  'dpv:hasRecipient': { '@type': '@id' },
} as const

/** Of the legal bases that a policy may name, those that are consent. What says so in other words is `dpv:Consent`. */
const CONSENTS = ['eu-gdpr:A6-1-a', 'eu-gdpr:A6-1-a-explicit-consent', 'eu-gdpr:A6-1-a-non-explicit-consent']

/** What a denial is called, where it is more than never having granted. */
const DENIALS = new Map([
  ['withdraw', 'dpv:ConsentWithdrawn'],
  ['lapse', 'dpv:ConsentExpired'],
])

/** Rights by the words that policies have for them. */
const RIGHTS = new Map([
  ['access', 'eu-gdpr:A15'],
  ['rectification', 'eu-gdpr:A16'],
  ['erasure', 'eu-gdpr:A17'],
  ['restriction', 'eu-gdpr:A18'],
  ['portability', 'eu-gdpr:A20'],
  ['objection', 'eu-gdpr:A21'],
])

export const jsonldLine = (record: Exported, published: Published): string =>
  `${JSON.stringify(toJsonld(record, published))}\n`

export function toJsonld({ evidence, identity }: Exported, published: Published) {
  const { policy, publicUrl } = published
  const iri = `urn:uuid:${identity.id}`
  const address = (written: string) => addressOf(written, published)
  const controller = `${address(policy.policyUrl)}#controller`
  const withdrawal = address(policy.withdrawalUrl)
  const asked = policy.categories.filter(({ id }) => Object.hasOwn(evidence.choices, id))
  const processOf = (category: string) => `${iri}#${category}`
  return {
    '@context': CONTEXT,
    '@id': iri,
    '@type': 'dpv:ConsentRecord',
    'dct:conformsTo': 'dpv-27560:record',
    'dct:identifier': identity.id,
    'dpv:hasIdentifier': identity.id,
    'dct:created': evidence.recordedAt,
    'dct:language': evidence.notice.language,
    'dpv:hasDataSubject': {
      '@id': `urn:avow:subject:${identity.subject}`,
      '@type': 'dpv:DataSubject',
      'dct:identifier': identity.subject,
    },
    'dpv:hasJurisdiction': policy.jurisdictions.map(place),
    'dpv:hasNotice': {
      '@id': `${publicUrl}/v1/sites/${evidence.site}/notice?hash=${evidence.notice.hash}`,
      '@type': 'dpv:ConsentNotice',
      'dct:identifier': evidence.notice.hash,
      'dct:hasVersion': evidence.policy.version,
      'dct:language': evidence.notice.language,
    },
    'dpv:hasDataController': {
      '@id': controller,
      '@type': ['dpv:DataController', 'dpv:Organisation'],
      'dct:identifier': controller,
      'dpv:hasName': policy.controller.name,
      'dpv:hasAddress': `${policy.controller.address}, ${policy.controller.country}`,
      'dpv:hasContact': [policy.controller.email, policy.controller.phone].filter((way) => way !== undefined),
    },
    'dpv:hasProcess': asked.map((category) => ({
      '@id': processOf(category.id),
      '@type': 'dpv:Process',
      'dct:title': titleOf(category, evidence.notice.language),
      'dpv:hasPurpose': category.purposes.map((purpose) => ({ '@type': 'dpv:Purpose', 'dct:title': purpose })),
      'dpv:hasPersonalData': namesOf(category).map((data) => ({
        '@type': 'dpv:PersonalData',
        'dct:title': data,
      })),
      'dpv:hasLegalBasis': CONSENTS.includes(category.legalBasis) ? category.legalBasis : 'dpv:Consent',
      'dpv:hasStorageCondition': [
        { '@type': 'dpv:StorageLocation', 'dpv:hasLocation': place(category.region) },
        {
          '@type': 'dpv:StorageDuration',
          'dpv:hasDuration': { '@type': 'dpv:TemporalDuration', 'rdf:value': category.retention },
        },
      ],
      'dpv:hasRecipient':
        category.recipients.length === 0
          ? [controller]
          : category.recipients.map((recipient) => ({ '@type': 'dpv:Recipient', 'dpv:hasName': recipient })),
    })),
    'dpv:hasConsentStatus': asked.map(({ id }) => ({
      '@type': statusOf(evidence.choices[id] === true, evidence.action),
      'dpv:hasProcess': processOf(id),
      // Where the browser's clock can't be right, the server's word counts, as it does for the state.
      'dpv:isIndicatedAtTime': evidence.clock === 'ok' ? evidence.decidedAt : evidence.recordedAt,
      // A lapse is the controller's word: the data subject said nothing.
      'dpv:isIndicatedBy': evidence.action === 'lapse' ? controller : 'dpv:DataSubject',
      'dpv:hasIndicationMethod': `${evidence.layer}: ${evidence.action}, offered ${evidence.offered.join(', ') || 'nothing'}`,
      'dpv:hasDuration': {
        '@type': 'dpv:UntilTimeDuration',
        'rdf:value': { '@type': 'xsd:dateTime', '@value': evidence.validUntil },
        'skos:note': `ends earlier after ${policy.inactivityDays} days without activity`,
      },
    })),
    'dpv:hasConsentControl': { '@type': 'dpv:WithdrawConsent', 'dpv:isExercisedAt': withdrawal },
    'dpv:hasRight': [
      { '@type': ['dpv:DataSubjectRight', 'eu-gdpr:A7-3'], 'dct:title': 'withdraw', 'dpv:isExercisedAt': withdrawal },
      ...policy.rights.map((right) => ({
        '@type': ['dpv:DataSubjectRight', RIGHTS.get(right)].filter((type) => type !== undefined),
        'dct:title': right,
        'dpv:isExercisedAt': address(policy.policyUrl),
      })),
    ],
  }
}

function statusOf(granted: boolean, action: string): string {
  return granted ? 'dpv:ConsentGiven' : (DENIALS.get(action) ?? 'dpv:ConsentRefused')
}

/** A place is whatever the policy calls it; the one that DPV surely has is named by its term. */
const place = (name: string) => ({
  ...(name === 'EU' ? { '@id': 'loc:EU' } : {}),
  '@type': 'dpv:Location',
  'dct:title': name,
})
