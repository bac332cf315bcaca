import { statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { remedyFor } from './postgres-complaint.ts'
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
    const path = join(dataDir, 'postgres')
    const said = (cause instanceof Error ? cause.message : String(cause)).replaceAll(/\s+/g, ' ')
    // A server on a full disk cannot even write down what is wrong.
    const reason = (await isFull(path)) ? `${said} (ENOSPC)` : said
    throw new Error(`The embedded PostgreSQL in ${dataDir} cannot start: ${reason}. ${remedyFor(reason, path)}.`, { cause })
  }
}

async function isFull(path: string): Promise<boolean> {
  return statfs(path).then(
    ({ bavail, bsize }) => bavail * bsize < 1_000_000,
    () => false,
  )
}
