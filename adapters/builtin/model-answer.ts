import { z } from 'zod'
import { RequestError } from './request-error.ts'

const Count = z.int().min(0)

const Usage = z.object({ prompt_tokens: Count.optional().catch(undefined), completion_tokens: Count.optional().catch(undefined) })

const Delta = z.object({ content: z.string().nullish(), reasoning_content: z.string().nullish() })

/** Log-probabilities of the completions route, one entry a token. */
const Logprobs = z.object({
  tokens: z.array(z.string()),
  token_logprobs: z.array(z.number().nullable()),
  top_logprobs: z.array(z.record(z.string(), z.number()).nullable()).nullish(),
  text_offset: z.array(z.int().min(0)).nullish(),
})
export type Logprobs = z.infer<typeof Logprobs>

const Choice = z.object({
  message: Delta.nullish(),
  delta: Delta.nullish(),
  text: z.string().nullish(),
  logprobs: z.unknown().optional(),
  finish_reason: z.string().nullish(),
})

const Body = z.object({ choices: z.array(Choice), usage: Usage.nullish() })

/** Token counts as the endpoint says them; absent where it does not, never estimated. */
export type Tokens = { input?: number; output?: number }

/** One part of an answer: the whole of it, or one event of a stream. */
export type AnswerPart = {
  text: string | undefined
  /** Text that the model thinks with; it is no part of the answer, but it is output. */
  reasoning: boolean
  finishReason: string | undefined
  tokens: Tokens
  logprobs: unknown
}

const ErrorBody = z.object({ error: z.union([z.string(), z.object({ message: z.string() })]) })

const VLLM_ERROR = z.object({ message: z.string() })

/** What an endpoint says about its refusal, cut to 300 characters; undefined if it says nothing readable. */
export function errorText(body: string): string | undefined {
  let json: unknown
  try {
    json = JSON.parse(body)
  } catch {
    return body.trim().slice(0, 300) || undefined
  }
  const openai = ErrorBody.safeParse(json)
  const text = openai.success
    ? typeof openai.data.error === 'string'
      ? openai.data.error
      : openai.data.error.message
    : VLLM_ERROR.safeParse(json).data?.message
  return text?.slice(0, 300)
}

/** Reads one JSON body or event. Throws `RequestError` of kind `malformed`. */
export function readAnswer(text: string): AnswerPart {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    throw new RequestError('malformed', 'sent an answer that is not JSON')
  }
  const body = Body.safeParse(json)
  if (!body.success) {
    const failure = ErrorBody.safeParse(json).success ? errorText(text) : undefined
    throw new RequestError(
      'malformed',
      failure ? `sent an error instead of an answer: ${failure}` : 'sent JSON that is not an OpenAI answer',
    )
  }
  const { choices, usage } = body.data
  const [choice] = choices
  const said = choice?.message ?? choice?.delta
  return {
    text: said?.content ?? choice?.text ?? undefined,
    reasoning: Boolean(said?.reasoning_content),
    finishReason: choice?.finish_reason ?? undefined,
    tokens: {
      ...(usage?.prompt_tokens !== undefined && { input: usage.prompt_tokens }),
      ...(usage?.completion_tokens !== undefined && { output: usage.completion_tokens }),
    },
    logprobs: choice?.logprobs,
  }
}

/** Log-probabilities of the prompt's tokens; undefined if the endpoint sent none or unequal lists. */
export function readLogprobs(value: unknown): Logprobs | undefined {
  const read = Logprobs.safeParse(value)
  if (!read.success) return undefined
  const { tokens, token_logprobs, text_offset } = read.data
  const equal = tokens.length === token_logprobs.length && (!text_offset || text_offset.length === tokens.length)
  return equal && tokens.length > 0 ? read.data : undefined
}
