/** What opens the commitments of a record, as it is handed out. */
import { z } from '@hono/zod-openapi'
import { encodeBase64url } from '../../ledger/base64.js'
import type { LinkedRecord } from '../site.js'

export const secretsSchema = z.strictObject({ evidence: z.string(), identity: z.string() })

export const secretsOf = ({ secrets }: LinkedRecord) => ({
  evidence: encodeBase64url(secrets.evidence),
  identity: encodeBase64url(secrets.identity),
})
