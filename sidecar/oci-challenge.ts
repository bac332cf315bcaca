/** How a registry wants to be asked. Names of parameters are in lower case. */
export type Challenge = { scheme: 'basic' | 'bearer'; parameters: Readonly<Record<string, string>> }

/** One token of the header: a scheme before its parameters, or a parameter. */
const PART = /(?<name>[\w!#$%&'*+.^`|~-]+)(?:\s*=\s*(?:"(?<quoted>(?:[^"\\]|\\.)*)"|(?<plain>[^\s,"]+)))?/g

/** All challenges of a `WWW-Authenticate` header that are Basic or Bearer, several headers joined by commas. */
export function parseChallenges(header: string): Challenge[] {
  const all: { scheme: string; parameters: Record<string, string> }[] = []
  for (const { groups = {} } of header.slice(0, 8192).matchAll(PART)) {
    const { name = '', quoted, plain } = groups
    const value = quoted?.replace(/\\(.)/g, '$1') ?? plain
    if (value === undefined) all.push({ scheme: name.toLowerCase(), parameters: {} })
    else Object.assign(all.at(-1)?.parameters ?? {}, { [name.toLowerCase()]: value })
  }
  return all.flatMap(({ scheme, parameters }) => (scheme === 'basic' || scheme === 'bearer' ? [{ scheme, parameters }] : []))
}
