import type { Context } from 'hono'
import { footprintOfText } from '#shared/domain/footprint.ts'
import { HubError } from '#shared/errors.ts'
import type { GiveBack, Hold } from '#shared/fair-budget.ts'
import { gatherBytes } from '#shared/gather-bytes.ts'
import type { AppEnv } from './env.ts'
import type { RequestMemory } from './memory.ts'

/** Bodies up to this are read before anything is reserved: all that may be at work at once come to little. */
const SHORT_BYTES = 32 * 1024
/** What the footprint of a short one is taken for. */
const FOOTPRINT_PER_BYTE = 2

const MIB = 1024 * 1024

/** Larger ones are refused: each takes at most a half more than this when it is read, and no heap is left for it beyond. */
const MAX_FOOTPRINT = 32 * MIB

/**
 * The body as text, whatever its Content-Type, with memory for what it says. Refuses more than `maxBytes` with `request_body_too_large`, one that
 * breaks off with `invalid_json_request`, since that its client went away is no failure of this hub, and with the same what has too many values.
 *
 * A long one is read once there is memory for it, and with `isStored` for what will be stored of it, else refused with `unavailable`. What is
 * refused is read to its end all the same and thrown away, so that a client that is still sending sees the answer.
 */
export async function readBody(c: Context<AppEnv>, maxBytes: number, { isStored = false } = {}): Promise<string> {
  const { memory } = c.var
  const length = Number(c.req.header('content-length') ?? NaN)
  if (length <= Math.min(SHORT_BYTES, maxBytes)) {
    const text = await c.req.text().catch(brokeOff)
    await memory.reserve(FOOTPRINT_PER_BYTE * length)
    return text
  }
  const bytes = await readLong(c, length, maxBytes)
  const footprint = footprintOfText(bytes.data)
  if (footprint > MAX_FOOTPRINT) throw tooLarge(bytes.data.length, footprint)
  await memory.reserve(footprint, { later: isStored ? footprint : 0, signal: bytes.takenBack })
  const text = new TextDecoder().decode(bytes.data)
  bytes.release()
  return text
}

function tooLarge(bytes: number, footprint: number): HubError {
  const counted = `with 64 bytes for each list, object and member and 16 for each item its ${bytes} bytes come to ${Math.ceil(footprint / MIB)} MiB`
  return HubError.of('invalid_json_request', { Error: `${counted}, and at most ${MAX_FOOTPRINT / MIB} MiB are read. Send less at a time.` })
}

function brokeOff(cause: unknown): never {
  throw HubError.of('invalid_json_request', { Error: 'it broke off before its end' }, cause)
}

/** `takenBack`: aborted when its memory has been given back, and it is to be forgotten. */
type Long = { data: Uint8Array; release: () => void; takenBack: AbortSignal }

async function readLong(c: Context<AppEnv>, length: number, maxBytes: number): Promise<Long> {
  const body = c.req.raw.body ?? []
  if (length > maxBytes) {
    await skip(body).catch(brokeOff)
    throw tooLong(maxBytes)
  }
  const reading = length >= 0 ? readKnown(body, length, c.var.memory) : readUpTo(body, maxBytes, c.var.memory)
  return reading.catch((error: unknown) => (error instanceof HubError ? Promise.reject(error) : brokeOff(error)))
}

type Body = AsyncIterable<Uint8Array> | Iterable<Uint8Array>

/** One of which nothing has come for so long keeps no memory that others wait for. */
const STILL_MS = 1000

/** How a body gives back its memory, while it is being read or waits for that of its values: the only one of its party keeps it as long as it goes on. */
function giveBackOf(drop: () => void): { cameOn: () => void; giveBack: GiveBack; takenBack: AbortSignal } {
  let cameOnAt = performance.now()
  const back = new AbortController()
  return {
    takenBack: back.signal,
    cameOn: () => void (cameOnAt = performance.now()),
    giveBack(isOnly) {
      if (isOnly && performance.now() - cameOnAt < STILL_MS) return false
      drop()
      back.abort(takenBackError())
      return true
    },
  }
}

const takenBackError = () => HubError.of('unavailable', { Error: 'its memory is needed for what others send.' })

/** One that has said how long it is. */
async function readKnown(body: Body, length: number, memory: RequestMemory): Promise<Long> {
  let data: Uint8Array | undefined
  let hold: Hold | undefined
  const { cameOn, giveBack, takenBack } = giveBackOf(() => {
    data = undefined
    hold?.release()
  })
  try {
    hold = await memory.reserveBody(length, giveBack)
  } catch (error) {
    await skip(body)
    throw error
  }
  cameOn()
  data = new Uint8Array(length)
  let at = 0
  for await (const chunk of body) {
    cameOn()
    data?.set(chunk, at)
    at += chunk.length
  }
  if (!data) throw takenBackError()
  return { data: data.subarray(0, at), release: hold.release, takenBack }
}

async function skip(body: Body): Promise<void> {
  for await (const _ of body);
}

/** One that has not: it is reserved as it grows, unless it is too long. */
async function readUpTo(body: Body, maxBytes: number, memory: RequestMemory): Promise<Long> {
  const gathered = gatherBytes()
  let bytes = 0
  let refusal: unknown
  const refuse = (error: unknown) => {
    refusal ??= error
    gathered.take()
    hold.release()
  }
  const { cameOn, giveBack, takenBack } = giveBackOf(() => refuse(takenBackError()))
  const hold = memory.openBody(giveBack)
  for await (const chunk of body) {
    cameOn()
    bytes += chunk.length
    if (refusal !== undefined) continue
    try {
      if (bytes > maxBytes) throw tooLong(maxBytes)
      // What it is copied to, and its place in the whole.
      hold.grow(gathered.add(chunk) + chunk.length)
    } catch (error) {
      refuse(error)
    }
  }
  if (refusal !== undefined) throw refusal
  return { data: gathered.take(), release: hold.release, takenBack }
}

const tooLong = (maxBytes: number) => HubError.of('request_body_too_large', { Limit: String(maxBytes) })
