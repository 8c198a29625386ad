/** The thread that SQLite runs in; started by `openThreadedSqliteStorage`. */
import { workerData } from 'node:worker_threads'
import { serve } from './sqlite-thread.js'

serve(workerData.port, workerData.folder, workerData.options)
