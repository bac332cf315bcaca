import { postgresHome } from './postgres-home.ts'
import { servingPostmaster, stopPostmaster, urlOf } from './postmaster.ts'

export type Postgres = {
  /** With the password: never to be logged. */
  url: string
  /** Ends the server in good order and resolves when it has ended. */
  stop(): Promise<void>
}

type Options = {
  /** The hub's data directory; made if it does not exist. */
  dataDir: string
  /** Told, a line at a time, what a user may want to know. Never the password. */
  log: (message: string) => void
  /** Server settings in place of ours, by name. */
  settings?: Record<string, string>
}

/** For a laptop: small, reached from this machine only, and as safe as any PostgreSQL (`fsync` stays on). */
const laptop = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  shared_buffers: '64MB',
  max_connections: '60',
  max_wal_size: '256MB',
  wal_level: 'minimal',
  max_wal_senders: '0',
  max_logical_replication_workers: '0',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_checkpoints: 'off',
  // Above ERROR: the hub gets errors as answers, and their details quote rows.
  log_min_messages: 'log',
}

/**
 * The database server of a hub: real PostgreSQL from npm, its data below `<dataDir>/postgres`, reachable at a free port of
 * 127.0.0.1 with a password from a file that only its owner can read.
 *
 * It does not end with this process. One that an earlier hub left running is found and used as it is. Two hubs at once get
 * the same server: the hub's lock (`db/hub-lock.ts`) keeps one of them out, and only its holder may call `stop`.
 * Throws an error of one line that says what is wrong, where, and what to do.
 */
export async function startPostgres({ dataDir, log, settings = {} }: Options): Promise<Postgres> {
  try {
    const home = await postgresHome(dataDir, log)
    const postmaster = await servingPostmaster(home, { ...laptop, ...settings }, log)
    return { url: urlOf(home, postmaster), stop: () => stopPostmaster(home, postmaster) }
  } catch (cause) {
    throw new Error(`The embedded PostgreSQL in ${dataDir} cannot start: ${reasonOf(cause)}`, { cause })
  }
}

/** In one line, with the remedy where the system's own word for the trouble names none. */
function reasonOf(error: unknown): string {
  const reason = (error instanceof Error ? error.message : String(error)).replaceAll(/\s+/g, ' ')
  if (/ENOSPC|EDQUOT|No space left/.test(reason))
    return `${reason}. The disk is full: free some space, or choose another place with --data-dir`
  if (/EACCES|EPERM|EROFS|Permission denied/.test(reason)) return `${reason}. Choose a directory that you may write with --data-dir`
  return `${reason}. To use a PostgreSQL of your own instead, set DATABASE_URL`
}
