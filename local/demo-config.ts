import { parseArgs } from 'node:util'
import { holdsUser, parseHttpUrl } from '#shared/domain/url-problem.ts'
import { HUB_VARIABLES } from './config.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** The model to evaluate. `url` ends in the version, as OpenAI clients take it. */
export type DemoModel = { url: string; name: string; apiKey: string | undefined }

export type DemoConfig = {
  /** Undefined: the toy model. */
  model: DemoModel | undefined
  /** Items a benchmark; undefined: all. */
  numExamples: number | undefined
  collection: string
}

/**
 * `environment` is what adapters may inherit: all but the key, which they get as a file. `secrets` are the names of what they must not find
 * in the environment of this process either.
 */
export type DemoRequest =
  { do: 'run'; config: DemoConfig; environment: Environment; secrets: string[] } | { do: 'help' } | { do: 'refuse'; why: string }

export const DEMO_USAGE = `Evaluates a model with a collection of benchmarks on a temporary EvalHub, and prints the scores.

Usage: npm run demo [-- options]

  --model-url URL       OpenAI-compatible endpoint, such as http://localhost:11434/v1 (default: a built-in toy)
  --model-name NAME     name that the endpoint knows the model by
  --api-key-env NAME    environment variable that holds the endpoint's key
  --num-examples N      items of each benchmark (default: all)
  --collection ID       collection of benchmarks (default: starter-v1)
  --help
`

const OPTIONS = {
  'model-url': { type: 'string' },
  'model-name': { type: 'string' },
  'api-key-env': { type: 'string' },
  'num-examples': { type: 'string' },
  collection: { type: 'string', default: 'starter-v1' },
  help: { type: 'boolean', default: false },
} as const

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values']

/** Why an address cannot be used; it is not repeated, since it may hold a password. */
function urlFault(text: string): string | undefined {
  if (holdsUser(text)) return '--model-url must hold no user or password; use --api-key-env'
  return parseHttpUrl(text) ? undefined : '--model-url must be an http or https address, such as http://localhost:11434/v1'
}

function faultOf(values: Values, env: Environment): string | undefined {
  const { 'model-url': url, 'model-name': name, 'api-key-env': keyName, 'num-examples': examples } = values
  if ((url === undefined) !== (name === undefined)) return '--model-url and --model-name go together'
  if (keyName !== undefined && url === undefined) return '--api-key-env needs --model-url'
  if (keyName !== undefined && !env[keyName]?.trim()) return `The environment variable ${keyName} is not set`
  if (examples !== undefined && !/^[1-9]\d{0,8}$/.test(examples)) return '--num-examples must be a whole number of 1 or more'
  return url === undefined ? undefined : urlFault(url)
}

function parsed(argv: readonly string[]): Values | string {
  try {
    return parseArgs({ args: [...argv], options: OPTIONS, strict: true }).values
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** What the command line and the environment ask for. */
export function demoRequest(argv: readonly string[], env: Environment = process.env): DemoRequest {
  const values = parsed(argv)
  if (typeof values === 'string') return { do: 'refuse', why: values }
  if (values.help) return { do: 'help' }
  const fault = faultOf(values, env)
  if (fault !== undefined) return { do: 'refuse', why: fault }

  const { 'model-url': url, 'model-name': name, 'api-key-env': keyName, 'num-examples': examples, collection } = values
  const apiKey = keyName === undefined ? undefined : env[keyName]?.trim()
  const model = url === undefined || name === undefined ? undefined : { url: url.replace(/\/+$/, ''), name, apiKey }
  const environment = Object.fromEntries(Object.entries(env).filter(([variable]) => variable !== keyName))
  const secrets = keyName === undefined ? HUB_VARIABLES : [...HUB_VARIABLES, keyName]
  return {
    do: 'run',
    environment,
    secrets,
    config: { model, numExamples: examples === undefined ? undefined : Number(examples), collection },
  }
}

/** How the terminal may be used: `live` redraws lines in place, `color` follows the NO_COLOR convention. */
export function terminalFrom(stream: { isTTY?: boolean }, env: Environment = process.env): { live: boolean; color: boolean } {
  const live = stream.isTTY === true && env.TERM !== 'dumb'
  return { live, color: live && !env.NO_COLOR }
}
