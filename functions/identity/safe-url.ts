const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]'])

/** True for a URL over which keys may come: encrypted, or of this machine. */
export function isSafeUrl(text: string): boolean {
  const { protocol, hostname } = URL.parse(text) ?? {}
  return protocol === 'https:' || (protocol === 'http:' && hostname !== undefined && LOOPBACK.has(hostname))
}
