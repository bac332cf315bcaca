/** Schemes that no server has: what follows would be run by who shows it as a link, or read from the machine of who asks for it. */
const CLOSED = /^(javascript|vbscript|data|file|filesystem|blob|about|view-source|jar|ftps?):$/

/**
 * What keeps a URL of a user from being kept, shown as a link, and asked by adapters; undefined if nothing does. Read as browsers and Node read it,
 * so that neither spaces nor line ends hide a scheme. Text that is no whole URL has no such problem.
 */
export function urlProblem(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined
  const { protocol } = new URL(text)
  if (CLOSED.test(protocol)) return `must name a place on a network, such as https://host/path, and begins with ${protocol}`
  return holdsSecret(text) ? 'must hold no user name and no password, since it is kept and shown' : undefined
}

/** True for a URL with a user or a password before its host. */
export function holdsSecret(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { username, password } = new URL(text)
  return username !== '' || password !== ''
}

/** True for the host of a registry: a name or an address, with or without a port; before it may stand `http://` or `https://`, behind it a path. */
export function isRegistryHost(text: string): boolean {
  const [, host = ''] =
    /^\s*(?:https?:\/\/)?([^\s\\/?#@:[\]]+(?::\d{1,5})?|\[[\da-f:.]+\](?::\d{1,5})?)(?:\/[^\s\\?#@]*)?\s*$/i.exec(text) ?? []
  return host !== '' && URL.canParse(`https://${host}`)
}
