import { readFileSync, unwatchFile, watchFile } from 'node:fs'
import type { Server } from 'node:http'
import { Server as TlsServer } from 'node:https'
import { createSecureContext } from 'node:tls'
import type { Log } from '#shared/log.ts'

/** Paths of a certificate chain and its private key, both PEM. */
export type TlsFiles = { certFile: string; keyFile: string }

export type Tls = { cert: string; key: string }

/** Throws if they cannot be read, or do not belong together. */
export function readTls({ certFile, keyFile }: TlsFiles): Tls {
  const tls = { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') }
  createSecureContext(tls)
  return tls
}

const LOOK_EVERY_MS = 2000

/**
 * Serves new connections with what the files hold, moments after they have changed: certificates are renewed while a server runs.
 * Files that do not belong together, as halfway through a change, are logged and change nothing. Returns what ends it.
 */
export function followTls(server: Server, files: TlsFiles, log: Log): () => void {
  const paths = Object.values(files)
  const reload = () => {
    try {
      if (server instanceof TlsServer) server.setSecureContext(readTls(files))
      log.info('the certificate was read again', { files: paths })
    } catch (error) {
      log.warn('the certificate and its key do not fit, so the one before is served', { files: paths, reason: String(error) })
    }
  }
  // By looking, not by the system's events: a mounted Secret changes by a link further up.
  for (const path of paths) watchFile(path, { interval: LOOK_EVERY_MS, persistent: false }, reload)
  return () => paths.forEach((path) => unwatchFile(path, reload))
}
