import { Hono, type Context } from 'hono'
import type { LogOwner } from '#db/queries/run-logs.ts'
import { tailLines } from '#shared/domain/tail-lines.ts'
import { HubError, notFound } from '#shared/errors.ts'
import { REQUEST_ID_HEADER } from '../answer.ts'
import type { AppEnv } from '../env.ts'
import { boolean, integer, invalid } from '../query.ts'

/** How many lines are asked for. The other two parameters are judged, and change nothing on a local hub, as the contract has it (1.8). */
function tailOf({ req }: Context<AppEnv>): number {
  const tail = integer(req, 'tail_lines', {
    fallback: 1000,
    isValid: (value) => value === -1 || (value >= 1 && value <= 10_000),
    type: 'integer between 1 and 10000, or -1 for all lines',
  })
  boolean(req, 'timestamps', false)
  const since = req.query('since_seconds')
  if (since === '') throw HubError.of('query_parameter_required', { ParameterName: 'since_seconds' })
  if (since !== undefined && !/^\+?0*[1-9]\d*$/.test(since)) throw invalid('since_seconds', 'positive integer', since)
  return tail
}

/** Logs of a job, or of one of its runs, as text: live and finished runs alike, from what the bridge has stored. */
export const logs = () =>
  new Hono<AppEnv>()
    .get('/:id/logs', async (c) => {
      const id = c.req.param('id')
      const tail = tailOf(c)
      const owners = await ownersOf(c, id)
      const sections = await Promise.all(
        owners.map(async (owner) => {
          const header = `=== pod=${id}-${owner.benchmark_index} container=local benchmark_id=${owner.benchmark_id} ===`
          return `${header}\n${await logOf(c, id, owner, tail)}`
        }),
      )
      return text(c, sections.join('\n'))
    })
    .get('/:id/benchmarks/:index/logs', async (c) => {
      const { id, index } = c.req.param()
      if (!/^\d+$/.test(index)) throw invalid('benchmark_index', 'non-negative integer', index)
      const tail = tailOf(c)
      const owner = (await ownersOf(c, id)).find((candidate) => candidate.benchmark_index === Number(index))
      return text(c, owner ? await logOf(c, id, owner, tail) : '')
    })

async function ownersOf(c: Context<AppEnv>, id: string): Promise<LogOwner[]> {
  const owners = await c.var.tenantStore.listLogOwners(id)
  if (!owners) throw notFound('evaluation job', id)
  return owners
}

async function logOf(c: Context<AppEnv>, id: string, owner: LogOwner, tail: number): Promise<string> {
  const chunks = await c.var.tenantStore.findLogChunks(id, owner)
  const bytes = await Promise.all(chunks.map(gunzip))
  const decoder = new TextDecoder()
  return tailLines(bytes.map((part) => decoder.decode(part, { stream: true })).join('') + decoder.decode(), tail)
}

async function gunzip(chunk: Uint8Array): Promise<Uint8Array> {
  const stream = new Blob([new Uint8Array(chunk)]).stream().pipeThrough(new DecompressionStream('gzip'))
  return new Uint8Array(await new Response(stream).arrayBuffer())
}

const text = (c: Context<AppEnv>, body: string) =>
  new Response(body, { headers: { 'Content-Type': 'text/plain; charset=utf-8', [REQUEST_ID_HEADER]: c.var.requestId } })
