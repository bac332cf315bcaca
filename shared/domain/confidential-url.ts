import { parseUrl } from './url-problem.ts'

const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]'])

/** True for a URL of whose traffic nobody else reads or changes anything: it is encrypted, or stays on this machine. */
export function isConfidential(text: string): boolean {
  const { protocol, hostname } = parseUrl(text) ?? {}
  return protocol === 'https:' || (protocol === 'http:' && hostname !== undefined && LOOPBACK.has(hostname))
}
