import { z } from 'zod'
import { isPlainObject } from './decode.ts'

/** One thing that an operator can set, in the environment or in a file. */
export type Setting = {
  /** Of the environment. */
  name: string
  /** Other names of the environment that are read if that one is not set. */
  aliases: readonly string[]
  /** In a file, with dots between its levels; the published server's where that has it. */
  path: string
  /** A sentence for operators. */
  description: string
  /** What it is unless set, as it would be written. */
  fallback?: string
}

/** The settings that a schema reads: its fields have the names of the environment, and the rest in their `.meta()`. */
export function settingsOf(schema: z.ZodObject): Setting[] {
  return Object.entries(schema.shape).map(([name, field]) => {
    // A field is a whole zod type; what the shape's own type says of it is only its core.
    const { path, description, aliases } = (field as z.ZodType).meta() ?? {}
    if (typeof path !== 'string' || description === undefined) throw new Error(`the setting ${name} is not described`)
    return { name, path, description, aliases: Array.isArray(aliases) ? aliases.map(String) : [], ...fallbackOf(field) }
  })
}

/** A default is a value, or, before a value is made of it, a text. */
function fallbackOf({ _zod: { def } }: z.core.$ZodType): { fallback?: string } {
  return 'defaultValue' in def && def.defaultValue !== '' ? { fallback: String(def.defaultValue) } : {}
}

/** How files are reached. */
export type Files = {
  /** Undefined if there is no such file. Throws if it cannot be read. */
  readText: (path: string) => string | undefined
  exists: (path: string) => boolean
  parseYaml: (text: string) => unknown
}

export type Gathered = {
  /** By the setting's name; what is not set is absent. Without the blanks and line ends around it. */
  values: Record<string, string>
  /** Sentences on what is wrong with the files; none repeats a value. */
  mistakes: string[]
  /** Paths in the files that are no setting of this process. */
  unread: string[]
  /** All names of the environment that were looked at, set or not: what they hold is this process's own. */
  variables: string[]
}

type Environment = Readonly<Record<string, string | undefined>>

/** Leaves of a file, by their paths. */
type Leaves = Map<string, string>

/**
 * What is set, from four sources; each wins over those before it: `config.yaml` in the directory `EVAL_HUB_CONFIG_DIR`, the environment,
 * the file `CONFIG_PATH`, and the files that `secrets` of the last of these names.
 *
 * A variable that is empty counts as not set. `env_mappings` of a file add names of the environment.
 */
export function gatherSettings(settings: readonly Setting[], environment: Environment, files: Files): Gathered {
  const mistakes: string[] = []
  const env = (name: string) => environment[name]?.trim() || undefined
  const open = (path: string | undefined, from: string): unknown => {
    if (path === undefined) return undefined
    const content = attempt(() => readYaml(files, path), `${from} names ${path}, which`, mistakes)
    return content ?? {}
  }
  const directory = env('EVAL_HUB_CONFIG_DIR')
  const base = open(directory && `${directory}/config.yaml`, 'EVAL_HUB_CONFIG_DIR')
  const override = open(env('CONFIG_PATH'), 'CONFIG_PATH')

  const [baseLeaves, overrideLeaves] = [leavesOf(base), leavesOf(override)]
  const mapped = new Map([...textEntries(sectionOf(base, 'env_mappings')), ...textEntries(sectionOf(override, 'env_mappings'))])
  const secrets = secretsOf(sectionOf(override, 'secrets') ?? sectionOf(base, 'secrets'), files, mistakes)

  const values: Record<string, string> = {}
  for (const { name, aliases, path } of settings) {
    const variables = [name, ...aliases, ...[...mapped].flatMap(([variable, target]) => (target === path ? [variable] : []))]
    const fromEnv = variables.map(env).find((value) => value !== undefined)
    const value = secrets.get(path) ?? overrideLeaves.get(path) ?? fromEnv ?? baseLeaves.get(path)
    if (value !== undefined) values[name] = value
  }
  const known = new Set(settings.map(({ path }) => path))
  const unread = [...new Set([...baseLeaves.keys(), ...overrideLeaves.keys(), ...secrets.keys()])].filter((path) => !known.has(path))
  const names = settings.flatMap(({ name, aliases }) => [name, ...aliases])
  return { values, mistakes, unread, variables: [...names, ...mapped.keys(), 'EVAL_HUB_CONFIG_DIR', 'CONFIG_PATH'] }
}

type Issue = { path: PropertyKey[]; message: string }

/** What a schema says of gathered values, in sentences that name each setting as it is written in both places, and repeat no value. */
export function complaints(settings: readonly Setting[], issues: readonly Issue[]): string[] {
  const named = new Map(settings.map((setting) => [setting.name, `${setting.name} (${setting.path})`]))
  return issues.map(({ path, message }) => `${named.get(String(path[0])) ?? path.join('.')} ${message}`)
}

function attempt<Result>(work: () => Result, of: string, mistakes: string[]): Result | undefined {
  try {
    return work()
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    mistakes.push(`${of} ${reason.split('\n')[0]}`)
    return undefined
  }
}

function readYaml({ readText, parseYaml }: Files, path: string): unknown {
  const text = readText(path)
  if (text === undefined) throw new Error('does not exist')
  const content = parse(parseYaml, text)
  if (!isPlainObject(content)) throw new Error('has no settings by name')
  return content
}

/** The parser's own words quote the line, which may hold a secret: where it is, and what kind of fault, is said. */
function parse(parseYaml: Files['parseYaml'], text: string): unknown {
  try {
    return parseYaml(text)
  } catch (error) {
    // oxlint-disable-next-line preserve-caught-error -- it quotes the line
    throw new Error(`is not valid YAML${placeOf(error)}`)
  }
}

/** As the package `yaml` has it in its errors. */
const YamlFault = z.object({ code: z.string(), linePos: z.tuple([z.object({ line: z.number() })]).rest(z.unknown()) })

function placeOf(error: unknown): string {
  const { data } = YamlFault.safeParse(error)
  return data ? `: line ${data.linePos[0].line} (${data.code})` : ''
}

const sectionOf = (content: unknown, name: string) => (isPlainObject(content) && isPlainObject(content[name]) ? content[name] : undefined)

const textEntries = (section: Record<string, unknown> | undefined): [string, string][] =>
  Object.entries(section ?? {}).map(([name, value]) => [name, String(value)])

/** Sections that say where settings come from, and are none. */
const SOURCES = new Set(['env_mappings', 'secrets'])

/** A list becomes one text with commas; null is as if it were not there. */
function leavesOf(content: unknown): Leaves {
  const leaves: Leaves = new Map()
  const waiting: [path: string, value: unknown][] = isPlainObject(content)
    ? Object.entries(content).filter(([name]) => !SOURCES.has(name))
    : []
  for (let next = waiting.shift(); next; next = waiting.shift()) {
    const [path, value] = next
    if (isPlainObject(value)) waiting.push(...Object.entries(value).map(([name, leaf]): [string, unknown] => [`${path}.${name}`, leaf]))
    else if (value !== null && value !== undefined) leaves.set(path, String(value).trim())
  }
  return leaves
}

const OPTIONAL = ':optional'

/** Contents of the files of a mounted secret, by the path that each is for. A directory that does not exist has no say. */
function secretsOf(section: Record<string, unknown> | undefined, { readText, exists }: Files, mistakes: string[]): Leaves {
  const found: Leaves = new Map()
  const directory = section?.dir
  if (typeof directory !== 'string' || !exists(directory)) return found
  for (const [entry, path] of textEntries(sectionOf(section, 'mappings'))) {
    const isOptional = entry.endsWith(OPTIONAL)
    const name = isOptional ? entry.slice(0, -OPTIONAL.length) : entry
    const text = attempt(() => readText(`${directory}/${name}`), `secrets.mappings names ${name}, which`, mistakes)
    if (text !== undefined) found.set(path, text.trim())
    else if (!isOptional && !exists(`${directory}/${name}`))
      mistakes.push(`secrets.mappings names ${name}, which ${directory} does not have`)
  }
  return found
}
