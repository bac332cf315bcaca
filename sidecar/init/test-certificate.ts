import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** A certificate of 127.0.0.1 that is its own authority, and the file to trust it by. */
export async function makeCertificate(directory: string): Promise<{ file: string; key: Buffer; cert: Buffer }> {
  const [keyFile, file] = [join(directory, 'key.pem'), join(directory, 'certificate.pem')]
  const names = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1,IP:127.0.0.2']
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', keyFile]
  await promisify(execFile)('openssl', ['req', '-x509', ...key, '-out', file, '-days', '2', ...names])
  return { file, key: await readFile(keyFile), cert: await readFile(file) }
}
