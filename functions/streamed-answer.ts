import type { Context } from 'hono'
import type { AppEnv } from './env.ts'
import { whenClosed } from './when-closed.ts'

/** Characters that a socket is given at a time. */
const PIECE_CHARACTERS = 256 * 1024

const HIGH_SURROGATES = [0xd800, 0xdbff] as const

/** Long text as UTF-8, some at a time. */
export function* encoded(text: string): Generator<Uint8Array> {
  const encoder = new TextEncoder()
  for (let at = 0; at < text.length;) {
    const last = text.charCodeAt(at + PIECE_CHARACTERS - 1)
    // A pair that is cut in two is no character any more.
    const end = at + PIECE_CHARACTERS - (last >= HIGH_SURROGATES[0] && last <= HIGH_SURROGATES[1] ? 1 : 0)
    yield encoder.encode(text.slice(at, end))
    at = end
  }
}

const streamed = new WeakSet<Response>()

/** Whether the body of an answer may still have to be read from the database. */
export const isStreamed = (response: Response): boolean => streamed.has(response)

type Source = {
  /** None of them is empty. */
  parts: Generator<Uint8Array> | AsyncGenerator<Uint8Array>
  /** Called when all has been sent, or its reader is gone; perhaps more than once. */
  onEnd: () => void
}

/** An answer in parts. Nothing is made ahead of its reader. */
export function streamedAnswer(c: Context<AppEnv>, source: Source, init: ResponseInit): Response {
  const response = new Response(streamOf(source), init)
  streamed.add(response)
  whenClosed(c, () => {
    source.onEnd()
    void source.parts.return(undefined)
  })
  return response
}

function streamOf({ parts, onEnd }: Source): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await parts.next()
          if (!done) return controller.enqueue(value)
          onEnd()
          controller.close()
        } catch (error) {
          onEnd()
          throw error
        }
      },
      async cancel() {
        onEnd()
        await parts.return(undefined)
      },
    },
    { highWaterMark: 0 },
  )
}
