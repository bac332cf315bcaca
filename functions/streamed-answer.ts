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

/** None of them is empty. */
type Parts = Generator<Uint8Array> | AsyncGenerator<Uint8Array>

/** An answer in parts. Nothing is made ahead of its reader. When it has been sent, or its reader is gone, its memory is given back. */
export function streamedAnswer(c: Context<AppEnv>, parts: Parts, init: ResponseInit): Response {
  const end = () => c.var.memory?.end()
  // What is under way ends first: it has its memory until then.
  const leave = async () => {
    try {
      await parts.return(undefined)
    } finally {
      end()
    }
  }
  const response = new Response(streamOf(parts, { end, leave }), init)
  streamed.add(response)
  // What fails now is nobody's.
  whenClosed(c, () => void leave().catch(() => undefined))
  return response
}

function streamOf(parts: Parts, { end, leave }: { end: () => void; leave: () => Promise<void> }): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await parts.next()
          if (!done) return controller.enqueue(value)
          end()
          controller.close()
        } catch (error) {
          end()
          throw error
        }
      },
      cancel: leave,
    },
    { highWaterMark: 0 },
  )
}
