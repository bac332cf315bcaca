import { Hono } from 'hono'
import type { Context } from 'hono'
import { z } from 'zod'
import { TOY_ERROR_RATE, askedIn, toyErrs } from './toy-answers.ts'
import type { ToyItem } from './toy-answers.ts'
import { loadToyItems } from './toy-items.ts'
import { complete, logprobsOf } from './toy-text.ts'
import { CHAT, TOY_CREATED, TOY_MODEL_NAME, completions, refuse, send } from './toy-wire.ts'

export type ToyAppOptions = {
  /** Share of the known questions that are always answered with HTTP 500. */
  errorRate?: number
  /** Multiplies every delay; 0 answers at once. Default 1: a first token after 20 to 60 ms, 5 ms for each one more. */
  pace?: number
  /** What it has heard of. Default: the data sets that come with EvalHub. */
  items?: readonly ToyItem[]
}

const ContentPart = z.object({ type: z.literal('text'), text: z.string() })

const Common = z.object({
  model: z.string(),
  stream: z.boolean().default(false),
  stream_options: z.object({ include_usage: z.boolean().optional() }).nullish(),
  max_tokens: z.int().min(0).nullish(),
  stop: z.union([z.string().transform((one) => [one]), z.array(z.string())]).nullish(),
})

const ChatRequest = Common.extend({
  max_completion_tokens: z.int().min(0).nullish(),
  messages: z.array(z.object({ role: z.string(), content: z.union([z.string(), z.array(ContentPart)]) })).min(1),
}).transform(({ messages, max_completion_tokens, ...common }) => {
  const texts = messages.map(({ content }) => (typeof content === 'string' ? content : content.map(({ text }) => text).join('\n')))
  return { ...common, max_tokens: max_completion_tokens ?? common.max_tokens, prompt: texts.join('\n') }
})

const CompletionRequest = Common.extend({
  prompt: z.string(),
  echo: z.boolean().default(false),
  logprobs: z.int().min(0).max(5).nullish(),
})

const CARD = {
  id: TOY_MODEL_NAME,
  object: 'model',
  created: TOY_CREATED,
  owned_by: 'evalhub',
  description: 'A toy for demonstrations and tests; no language model.',
}

const readBody = async <Schema extends z.ZodType>(c: Context, schema: Schema) => schema.safeParse(await c.req.json().catch(() => undefined))

/** The routes of the toy model. They keep nothing between requests. */
export function toyApp({ errorRate = TOY_ERROR_RATE, pace = 1, items = loadToyItems() }: ToyAppOptions = {}): Hono {
  /** What to write after a prompt; undefined if the question is one that always fails. */
  const completionFor = ({ prompt, max_tokens, stop }: z.infer<typeof Common> & { prompt: string }) => {
    const asked = askedIn(items, prompt)
    if (asked && toyErrs(asked.item, errorRate)) return undefined
    return complete(prompt, asked, { maxTokens: max_tokens ?? undefined, stop: stop ?? [] })
  }
  const failOnPurpose = (c: Context) => refuse(c, 500, 'The toy model fails at this question on purpose')
  const unknownModel = (c: Context, model: string) => refuse(c, 404, `The model ${model} does not exist; this server has ${TOY_MODEL_NAME}`)

  return new Hono()
    .get('/v1/models', (c) => c.json({ object: 'list', data: [CARD] }))
    .post('/v1/chat/completions', async (c) => {
      const { data: request, error } = await readBody(c, ChatRequest)
      if (!request) return refuse(c, 400, z.prettifyError(error))
      if (request.model !== TOY_MODEL_NAME) return unknownModel(c, request.model)
      const completion = completionFor(request)
      if (!completion) return failOnPurpose(c)

      const { prompt, stream, stream_options } = request
      return send(c, { prompt, completion, dialect: CHAT, echoed: '', stream, streamUsage: stream_options?.include_usage === true, pace })
    })
    .post('/v1/completions', async (c) => {
      const { data: request, error } = await readBody(c, CompletionRequest)
      if (!request) return refuse(c, 400, z.prettifyError(error))
      if (request.model !== TOY_MODEL_NAME) return unknownModel(c, request.model)
      const completion = completionFor(request)
      if (!completion) return failOnPurpose(c)

      const { prompt, stream, stream_options, echo, logprobs } = request
      const echoed = echo ? prompt : ''
      const dialect = completions(typeof logprobs === 'number' ? logprobsOf(items, echoed, completion.tokens) : null)
      return send(c, { prompt, completion, dialect, echoed, stream, streamUsage: stream_options?.include_usage === true, pace })
    })
    .notFound((c) => refuse(c, 404, `There is no ${c.req.method} ${c.req.path}`))
}
