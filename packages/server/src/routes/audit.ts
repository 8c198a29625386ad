/** What a privacy team asks: the latest records, one record, one subject, counts, and evidence that verifies without us. */
import type { OpenAPIHono } from '@hono/zod-openapi'
import type { Door, KeyEnv } from '../middleware/api-key.js'
import type { Outside } from '../outsiders.js'
import { evidenceRoutes } from './audit/evidence.js'
import { exportRoutes } from './audit/export.js'
import { logListRoutes } from './audit/logs.js'
import { recordRoutes } from './audit/records.js'
import { statsRoutes } from './audit/stats.js'
import { subjectRoutes } from './audit/subjects.js'
import type { Scripts } from './script.js'
import type { Sites } from './site.js'

export function auditRoutes(
  app: OpenAPIHono<KeyEnv>,
  sites: Sites,
  door: Door,
  scripts: Scripts,
  publicUrl: string,
  now: () => number,
  later: Outside['later'],
): void {
  recordRoutes(app, sites, door)
  subjectRoutes(app, sites, door, now)
  exportRoutes(app, sites, door, publicUrl, now, later)
  evidenceRoutes(app, sites, door, scripts.evidence, now)
  statsRoutes(app, sites, door, now)
  logListRoutes(app, sites, door)
}
