/** What a run has asked of its models, whatever its framework says. Goes with the result as `additional_info.model_usage`. */
export type ModelUsage = {
  /** Requests that were sent on, answered or not. */
  requests: number
  /** As the answers say; answers without `usage` count for nothing. */
  input_tokens: number
  output_tokens: number
  errors: {
    /** Answers with 429. */
    rate_limited: number
    /** Answers with 500 and above. */
    server_error: number
    /** Silence for too long, no connection in time, or an adapter that gave up before an answer began. */
    timeout: number
    /** No connection, or one that broke. */
    connection: number
  }
}

export const noUsage = (): ModelUsage => ({
  requests: 0,
  input_tokens: 0,
  output_tokens: 0,
  errors: { rate_limited: 0, server_error: 0, timeout: 0, connection: 0 },
})

type Tokens = { input: number; output: number }

const [QUOTE, BACKSLASH, NEWLINE, COLON, COMMA] = [0x22, 0x5c, 0x0a, 0x3a, 0x2c]
const [OPEN_OBJECT, CLOSE_OBJECT, OPEN_LIST, CLOSE_LIST] = [0x7b, 0x7d, 0x5b, 0x5d]

const KEY = Buffer.from('usage')
/** Objects of usage are some hundred bytes; longer ones are not looked at. */
const USAGE_BYTES = 16 * 1024

/** Finds the tokens that one answer says it has used, from its bytes as they pass. */
export type UsageScanner = {
  read: (chunk: Buffer) => void
  tokens: () => Tokens
}

/**
 * Reads JSON and server-sent events alike: `usage` in the outermost object of an answer or of an event's data, or one level below, as the
 * APIs of OpenAI and Anthropic write it. A stream that repeats it with growing numbers is counted once. Keeps at most 16 KiB. Each line of an event
 * stream is read by itself.
 */
export function createUsageScanner(isEventStream: boolean): UsageScanner {
  const found: Tokens = { input: 0, output: 0 }
  let depth = 0
  let isInString = false
  let isEscaped = false
  /** Bytes of the present string that are those of `usage`; -1 once they are not. */
  let matched = -1
  let isUsageKey = false
  let captured: number[] | undefined
  let capturedDepth = 0

  const reset = () => {
    depth = 0
    isInString = false
    isUsageKey = false
    captured = undefined
  }
  const capture = () => {
    const tokens = tokensOf(captured ?? [])
    found.input = Math.max(found.input, tokens.input)
    found.output = Math.max(found.output, tokens.output)
    captured = undefined
  }
  const readInString = (byte: number) => {
    if (isEscaped) isEscaped = false
    else if (byte === BACKSLASH) {
      isEscaped = true
      matched = -1
    } else if (byte === QUOTE) {
      isInString = false
      isUsageKey = matched === KEY.length
    } else matched = matched >= 0 && byte === KEY[matched] ? matched + 1 : -1
  }
  const readBetween = (byte: number) => {
    if (byte === QUOTE) {
      isInString = true
      matched = depth === 1 || depth === 2 ? 0 : -1
    } else if (byte === OPEN_OBJECT || byte === OPEN_LIST) {
      depth++
      if (isUsageKey && byte === OPEN_OBJECT && !captured) {
        captured = [byte]
        capturedDepth = depth
      }
      isUsageKey = false
    } else if (byte === CLOSE_OBJECT || byte === CLOSE_LIST) {
      if (captured && depth === capturedDepth) capture()
      depth = Math.max(0, depth - 1)
    } else if (byte === COMMA) isUsageKey = false
  }
  return {
    read(chunk) {
      for (const byte of chunk) {
        if (captured && captured.push(byte) > USAGE_BYTES) captured = undefined
        if (isEventStream && byte === NEWLINE) reset()
        else if (isInString) readInString(byte)
        else if (byte > COLON || byte === QUOTE || byte === COMMA) readBetween(byte)
      }
    },
    tokens: () => found,
  }
}

function tokensOf(bytes: number[]): Tokens {
  try {
    const usage: unknown = JSON.parse(Buffer.from(bytes).toString())
    return { input: countOf(usage, 'prompt_tokens', 'input_tokens'), output: countOf(usage, 'completion_tokens', 'output_tokens') }
  } catch {
    return { input: 0, output: 0 } // it looked like usage and is not
  }
}

function countOf(usage: unknown, ...names: string[]): number {
  if (typeof usage !== 'object' || usage === null) return 0
  const count: unknown = names.map((name) => Reflect.get(usage, name) as unknown).find((value) => value !== undefined)
  return typeof count === 'number' && Number.isSafeInteger(count) && count > 0 ? count : 0
}
