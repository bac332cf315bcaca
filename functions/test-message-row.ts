import { JOB } from './test-app.ts'

/** How rows of the table of messages are written (`messages.test.ts`). */

export type Row = {
  ask: [method: string, path: string, body?: unknown, headers?: Record<string, string>]
  status: number
  code: string
  /** The published server's text. */
  text: string
  /** Where ours is deliberately another: what it is, and how docs/compatibility.md names it. */
  otherwise?: { text: string | RegExp; status?: number; code?: string; named: string }
}

export const invalid = (error: string) => `The request validation failed: '${error}'. Please check the request and try again.`
export const unreadable = (error: string) => `The request JSON is invalid: '${error}'. Please check the request and try again.`
/** Failures of fields, each as `path tag`. */
export const failed = (model: string, ...failures: string[]) =>
  invalid(
    failures
      .map((failure) => {
        const [path = '', tag = ''] = failure.split(/ (.*)/)
        const field = path.split('.').at(-1)
        return `Key: '${model}.${path}' Error:Field validation for '${field}' failed on the '${tag}' tag`
      })
      .join('\n'),
  )

export const job = (more: object) => ['POST', '/jobs', { ...JOB, ...more }] as const
export const [BENCHMARK] = JOB.benchmarks
export const benchmark = (more: object) => job({ benchmarks: [{ ...BENCHMARK, ...more }] })
export const withData = (ref: object) => benchmark({ test_data_ref: ref })
export const git = (more: object) => withData({ git: { url: 'https://github.com/a/b', ref: 'main', ...more } })
export const COLLECTION = { name: 'n', category: 'c', benchmarks: [{ id: 'first', provider_id: 'frame' }] }
export const inCollection = (collection: object) => job({ benchmarks: undefined, collection })
export const long = (length: number) => 'x'.repeat(length)

/** `{job}`, `{done}`, `{provider}`, `{collection}`, `{curated}` and `{empty}` stand for the ids of such things. */
export const row = (ask: readonly unknown[], status: number, code: string, text: string, otherwise?: Row['otherwise']): Row =>
  // Tuples of the functions above are read-only.
  ({ ask: ask as Row['ask'], status, code, text, ...(otherwise && { otherwise }) })
export const refused = (ask: readonly unknown[], text: string, otherwise?: Row['otherwise']) =>
  row(ask, 400, 'request_validation_failed', text, otherwise)
export const ofJob = (ask: readonly unknown[], ...failures: string[]) => refused(ask, failed('EvaluationJobConfig', ...failures))
export const patch = (noun: string, op: string, path: string, value: unknown = 1) =>
  ['PATCH', `/${noun}s/{${noun}}`, [{ op, path, value }]] as const

export const GO_WORDS = 'reasons in `invalid_json_request` are Go’s'
export const OWN_WORDS = (text: RegExp) => ({ text, named: GO_WORDS })
export const RULE_TOLD = (text: string) => ({ text, named: 'a field that fails its rule is told with the rule’s name alone' })
