import { Hono, type Context } from 'hono'
import type { LogOwner } from '#db/queries/run-logs.ts'
import { jobName } from '#shared/domain/attempt-key.ts'
import { visibleLine } from '#shared/domain/visible-text.ts'
import { HubError, notFound } from '#shared/errors.ts'
import { NOSNIFF, REQUEST_ID_HEADER } from '../answer.ts'
import type { AppEnv, AppOptions } from '../env.ts'
import { logStream, type LogWish } from '../log-stream.ts'
import { benchmarkIndex, boolean, integer, invalid } from '../query.ts'
import { streamedAnswer } from '../streamed-answer.ts'
import { cutOff } from '../when-closed.ts'

/** A run's whole log fits. */
const MAX_LOG_BYTES = 50 * 1024 * 1024

/** Beyond a century the database has no time. */
const MAX_SECONDS = 3_000_000_000

type Wish = LogWish & { sinceSeconds: number | undefined }

function wishOf({ req }: Context<AppEnv>): Wish {
  const tail = integer(req, 'tail_lines', {
    fallback: 1000,
    isValid: (value) => value === -1 || (value >= 1 && value <= 10_000),
    type: 'integer between 1 and 10000, or -1 for all lines',
  })
  const timestamps = boolean(req, 'timestamps', false)
  const since = req.query('since_seconds')
  if (since === '') throw HubError.of('query_parameter_required', { ParameterName: 'since_seconds' })
  if (since !== undefined && !/^\+?0*[1-9]\d*$/.test(since))
    throw invalid('since_seconds', /^[+-]?\d+$/.test(since) ? 'positive integer' : 'integer', since)
  return { tail, timestamps, sinceSeconds: since === undefined ? undefined : Math.min(Number(since), MAX_SECONDS) }
}

/**
 * Logs of a job, or of one of its runs, as text: live and finished runs alike, from what the bridge has stored, with what in them is not seen made
 * visible (`log-view.ts`).
 *
 * `maxLogBytes`: of logs in one answer at most, 50 MiB unless given; headers between logs are not counted.
 */
export const logs = ({ maxLogBytes = MAX_LOG_BYTES }: Pick<AppOptions, 'maxLogBytes'>) =>
  new Hono<AppEnv>()
    .get('/:id/logs', async (c) => {
      const id = c.req.param('id')
      const wish = wishOf(c)
      return text(c, sections(c, id, await ownersOf(c, id), wish), maxLogBytes)
    })
    .get('/:id/benchmarks/:index/logs', async (c) => {
      const id = c.req.param('id')
      const index = benchmarkIndex(c.req.param('index'))
      const wish = wishOf(c)
      const owner = (await ownersOf(c, id)).find((candidate) => candidate.benchmark_index === index)
      if (!owner) throw notFound('benchmark', c.req.param('index'))
      return text(c, logOf(c, id, owner, wish), maxLogBytes)
    })

async function ownersOf(c: Context<AppEnv>, id: string): Promise<LogOwner[]> {
  const owners = await c.var.tenantStore.listLogOwners(id)
  if (!owners) throw notFound('evaluation job', id)
  return owners
}

/** A part of an answer. Only `log` counts against its bound. */
type Part = { log: Uint8Array } | { header: string }

async function* sections(c: Context<AppEnv>, id: string, owners: readonly LogOwner[], wish: Wish): AsyncGenerator<Part> {
  for (const owner of owners) {
    yield { header: `${owner === owners[0] ? '' : '\n'}${headerOf(id, owner)}\n` }
    yield* logOf(c, id, owner, wish)
  }
}

/** A pod is named after its Job; a process, which has none, after its run. */
function headerOf(evaluationId: string, { benchmark_index: benchmarkIndex, benchmark_id, attempt, container }: LogOwner): string {
  const pod = container === 'adapter' ? jobName({ evaluationId, benchmarkIndex, attempt }) : `${evaluationId}-${benchmarkIndex}`
  return `=== pod=${pod} container=${container} benchmark_id=${visibleLine(benchmark_id)} ===`
}

async function* logOf(c: Context<AppEnv>, id: string, owner: LogOwner, { sinceSeconds, ...wish }: Wish): AsyncGenerator<Part> {
  const { findLogPieces } = c.var.tenantStore
  for await (const log of logStream((from) => findLogPieces(id, owner, { ...from, sinceSeconds }), wish)) yield { log }
}

const TRUNCATED = 'X-Log-Truncated'

/** The answer, read from the database as fast as the client takes it. Whether it was cut off is known at its end only, and said there. */
async function text(c: Context<AppEnv>, parts: AsyncGenerator<Part>, maxBytes: number): Promise<Response> {
  await c.var.memory.takeReader(cutOff(c))
  const { incoming, outgoing } = c.env ?? {}
  // A trailer needs chunks, which HTTP/1.0 has not. Workers have none at all.
  const hasTrailer = outgoing !== undefined && incoming?.httpVersion === '1.1'
  const onCut = () => hasTrailer && outgoing.addTrailers({ [TRUNCATED]: 'true' })
  return streamedAnswer(c, upTo(maxBytes, parts, onCut), {
    headers: {
      'Content-Type': 'text/plain; charset=utf-8',
      [REQUEST_ID_HEADER]: c.var.requestId,
      ...NOSNIFF,
      ...(hasTrailer && { Trailer: TRUNCATED, 'Transfer-Encoding': 'chunked' }),
    },
  })
}

/** The bytes of these parts, of logs so many at most. */
async function* upTo(maxBytes: number, parts: AsyncGenerator<Part>, onCut: () => void): AsyncGenerator<Uint8Array> {
  let room = maxBytes
  for await (const part of parts) {
    const bytes = 'log' in part ? part.log.subarray(0, room) : new TextEncoder().encode(part.header)
    if (bytes.length > 0) yield bytes // none is left of the last one where the bound was met exactly
    if (!('log' in part)) continue
    room -= bytes.length
    if (bytes.length < part.log.length) return onCut()
  }
}
