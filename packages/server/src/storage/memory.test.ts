import { conformance } from './conformance.js'
import { createMemoryStorage } from './memory.js'

conformance('memory', { create: async () => createMemoryStorage(), reopen: null })
