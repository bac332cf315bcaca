import { X509Certificate } from 'node:crypto'
import { readFileSync, unwatchFile, watchFile } from 'node:fs'
import type { Server } from 'node:http'
import { Server as TlsServer } from 'node:https'
import { createSecureContext } from 'node:tls'
import type { Log } from '#shared/log.ts'

/** Paths of a certificate chain and its private key, both PEM, and of the authority whose client certificates are asked for, if any is. */
export type TlsFiles = { certFile: string; keyFile: string; clientCaFile?: string }

/** Each agrees on keys that are gone with the connection: who takes the server's key later reads nothing of what was recorded before. */
const FORWARD_SECRET = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':')

/** What a server is told, at its start and whenever its files have changed: what is left out then is what Node thinks best. */
export type Tls = { cert: string; key: string; ca?: string; ciphers: string; minVersion: 'TLSv1.2'; maxVersion: 'TLSv1.3' }

/** Throws if they cannot be read, or do not belong together. */
export function readTls({ certFile, keyFile, clientCaFile }: TlsFiles): Tls {
  const tls: Tls = {
    cert: readFileSync(certFile, 'utf8'),
    key: readFileSync(keyFile, 'utf8'),
    ...(clientCaFile !== undefined && { ca: readAuthority(clientCaFile) }),
    ciphers: FORWARD_SECRET,
    minVersion: 'TLSv1.2',
    maxVersion: 'TLSv1.3',
  }
  createSecureContext(tls)
  return tls
}

/** Certificates in PEM. Throws if there is none: Node would then trust every public authority. */
export function readAuthority(file: string): string {
  const text = readFileSync(file, 'utf8')
  void new X509Certificate(text)
  return text
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
