import { z } from 'zod'
import { AdapterFailure } from '#sdk/adapter.ts'
import { nearestName } from '#shared/domain/nearest-name.ts'

/** How the model is asked; every benchmark kind has these. */
const Requests = z.object({
  /** Route: `/chat/completions` or `/completions`. */
  api: z.enum(['chat', 'completions']).default('chat'),
  /** Ask for the answer as a stream; measures the time to the first token. */
  stream: z.boolean().default(false),
  /** Requests under way at once. */
  concurrency: z.int().min(1).max(256).default(8),
  /** For the whole answer, in seconds. */
  request_timeout_seconds: z.number().positive().max(3600).default(120),
  /** Repetitions of one request after 408, 429, 5xx, time-outs and connection errors. */
  max_retries: z.int().min(0).max(20).default(4),
  /** Share of items without an answer, 0 to 1, above which the run fails. */
  max_error_rate: z.number().min(0).max(1).default(0.01),
  /** Order of the items, worked examples, choices, back-off. */
  seed: z.int().min(0).max(0xffffffff).default(0),
  temperature: z.number().min(0).max(2).default(0),
})

/** Where the items come from and how they become prompts. */
const Items = z.object({
  /** JSONL file: absolute, or relative to the mounted test data or the working folder. Absent: the only `*.jsonl` of the test data. */
  dataset: z.string().min(1).max(4096).optional(),
  /** Text with `{{field}}` for the fields of a row. */
  prompt_template: z.string().min(1).max(100_000).optional(),
  system_prompt: z.string().max(100_000).optional(),
  /** Worked examples before each question. They come from the data set and are not scored. */
  few_shot: z.int().min(0).max(64).default(0),
  question_field: z.string().min(1).max(100).default('question'),
})

const Stop = z.union([z.string().transform((one) => [one]), z.array(z.string())]).pipe(z.array(z.string().min(1)).max(16))

/** Parameters of a `generation` benchmark. */
export const GenerationParameters = z.object({
  ...Requests.shape,
  ...Items.shape,
  scorer: z.enum(['exact_match', 'contains', 'regex', 'numeric', 'choice_letter', 'token_f1']).default('exact_match'),
  /** For `regex`: its last match (first group, if it has one) must equal an accepted answer. Absent: the answers are patterns. RE2's syntax. */
  pattern: z.string().min(1).max(2000).optional(),
  /** Field with the accepted answer, or a list of them. */
  answer_field: z.string().min(1).max(100).default('answer'),
  max_tokens: z.int().min(1).max(131_072).default(256),
  /** Texts that end an answer; for the completions route an empty line unless set. */
  stop: Stop.optional(),
})
export type GenerationParameters = z.infer<typeof GenerationParameters>

/** Parameters of a `multiple_choice` benchmark. */
export const MultipleChoiceParameters = z.object({
  ...Requests.shape,
  ...Items.shape,
  /** `auto` compares log-probabilities where the endpoint offers them, and asks for a letter otherwise. */
  method: z.enum(['auto', 'logprobs', 'letter']).default('auto'),
  /** For `letter`; `{{choices}}` is the lettered list. */
  letter_prompt_template: z.string().min(1).max(100_000).optional(),
  choices_field: z.string().min(1).max(100).default('choices'),
  /** Field with the position of the right choice, from 0. */
  gold_field: z.string().min(1).max(100).default('gold'),
  /** Of a letter answer. */
  max_tokens: z.int().min(1).max(131_072).default(16),
})
export type MultipleChoiceParameters = z.infer<typeof MultipleChoiceParameters>

/** Parameters of a `performance` benchmark. */
export const PerformanceParameters = z.object({
  ...Requests.shape,
  stream: z.literal(true).default(true),
  max_retries: Requests.shape.max_retries.default(0),
  dataset: Items.shape.dataset,
  question_field: Items.shape.question_field,
  /** `constant`: a request every 1/rate seconds; `concurrent`: always so many under way; `sweep`: `concurrent` at each of `levels`. */
  profile: z.enum(['constant', 'concurrent', 'sweep']).default('concurrent'),
  /** Requests a second of `constant`. */
  rate: z.number().positive().max(10_000).default(1),
  /** Concurrencies of `sweep`. */
  levels: z.array(z.int().min(1).max(256)).min(1).max(16).default([1, 2, 4, 8]),
  /** Requests measured, a level. */
  requests: z.int().min(1).max(1_000_000).optional(),
  /** New requests are started for so long, a level. Without it and without `requests`: 50 requests. */
  duration_seconds: z.number().positive().max(86_400).optional(),
  /** Requests before the measurement that are not counted. */
  warmup_requests: z.int().min(0).max(1000).default(1),
  /** Words of a made-up prompt, when no `dataset` is named. */
  prompt_words: z.int().min(1).max(100_000).default(100),
  max_tokens: z.int().min(1).max(131_072).default(64),
})
export type PerformanceParameters = z.infer<typeof PerformanceParameters>

/** A collection hands what one of its benchmarks is given to all: a parameter of another kind of benchmark is no misspelt one of this. */
const OF_SOME_KIND = new Set(
  [GenerationParameters, MultipleChoiceParameters, PerformanceParameters].flatMap(({ shape }) => Object.keys(shape)),
)

/** A parameter that has no meaning here, and the one that is most likely meant. */
export type Unknown = { name: string; nearest: string | undefined }

/** Other frameworks' words for the same thing. */
const SYNONYMS: Record<string, string> = { num_fewshot: 'few_shot' }

/** Set by the hub for itself, in the same map. */
const NOT_OURS = new Set(['timeout_seconds', 'num_examples'])

const shown = (value: unknown) => (value === undefined ? 'not set' : JSON.stringify(value).slice(0, 200))

/** What zod's sentence demands: `Too big: expected number to be <=256` demands `number to be <=256`. */
const allowedBy = (message: string) => message.replace(/^.*?expected /s, '').replace(/, received .*$/s, '')

/** Own keys only, however deep the path leads. */
function valueAt(raw: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((value, key) => {
    // Any object may be asked for its own key; what it holds stays unknown.
    const inside = typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    return inside ? (value as Record<PropertyKey, unknown>)[key] : undefined
  }, raw)
}

/**
 * Reads one benchmark's parameters: its own defaults, then the job's.
 *
 * Throws `AdapterFailure` that says parameter, value and what is allowed. `unknown` is what has
 * no meaning here.
 */
export function readParameters<Schema extends z.ZodObject>(schema: Schema, defaults: z.input<Schema>, given: Record<string, unknown>) {
  const renamed = Object.entries(given)
    .filter(([name, value]) => !NOT_OURS.has(name) && value !== null)
    .map(([name, value]) => [Object.hasOwn(SYNONYMS, name) ? SYNONYMS[name] : name, value] as const)
  const raw: Record<string, unknown> = Object.fromEntries([...Object.entries(defaults), ...renamed])
  const parsed = schema.safeParse(raw)
  if (!parsed.success) {
    const problems = parsed.error.issues.map(
      ({ path, message }) => `Parameter ${path.join('.')} is ${shown(valueAt(raw, path))}; allowed: ${allowedBy(message)}.`,
    )
    throw new AdapterFailure('parameter_invalid', problems.slice(0, 10).join('\n'))
  }
  const known = Object.keys(schema.shape)
  const unknown = Object.keys(raw).flatMap((name): Unknown[] =>
    known.includes(name) ? [] : [{ name, nearest: OF_SOME_KIND.has(name) ? undefined : nearestName(name, known) }],
  )
  return { parameters: parsed.data, unknown }
}
