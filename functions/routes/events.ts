import { Hono } from 'hono'
import type { Store } from '#db/store.ts'
import { decode } from '#shared/decode.ts'
import { withoutModelUsage } from '#shared/domain/model-usage.ts'
import { DEFAULT_UPSTREAMS, rewriteUrls, type Upstreams } from '#shared/domain/rewrite-urls.ts'
import { HubError } from '#shared/errors.ts'
import { StatusEvent, type BenchmarkStatusEvent } from '#shared/models/event.ts'
import { answer } from '../answer.ts'
import type { AppEnv, AppOptions } from '../env.ts'
import { readBody } from '../read-body.ts'

/** Where adapters report, as apps register it. */
export const EVENTS = '/api/v1/evaluations/jobs/:id/events'

export const events = ({ storeOf, maxBodyBytes, now, upstreams = DEFAULT_UPSTREAMS }: AppOptions) =>
  new Hono<AppEnv>().post('/', async (c) => {
    const { benchmark_status_event: said } = decode(StatusEvent, 'StatusEvent', await readBody(c, maxBodyBytes))
    // Not by `c.var`, which copies all that is there: no route is asked more often.
    const { run, tenant } = c.get('reporter')
    if (run && run.benchmarkIndex !== said.benchmark_index) {
      throw HubError.of('forbidden', {
        Error: `The run token is that of benchmark ${run.benchmarkIndex}, not of ${said.benchmark_index}.`,
      })
    }
    // Only a sidecar has a run's token, and only it has counted.
    const event = run ? said : withoutUsage(said)
    const reporter = { ...(run && { attempt: run.attempt }), ...(tenant !== undefined && { tenant }) }
    const store = storeOf(c.req.raw)
    // Mounted below a path that has this parameter.
    const evaluationId = c.req.param('id') ?? ''
    const understood = await withUpstreamUrls(store, { evaluationId, event, tenant }, upstreams)
    await store.recordEvent({ evaluationId, event: understood, ...reporter }, now().toISOString())
    return answer(c, 204)
  })

const withoutUsage = (event: BenchmarkStatusEvent): BenchmarkStatusEvent =>
  event.additional_info ? { ...event, additional_info: withoutModelUsage(event.additional_info) } : event

/** Of a message four times as much as is kept: each URL in it may grow. */
const READ_CHARACTERS = 64 * 1024

type Told = { evaluationId: string; event: BenchmarkStatusEvent; tenant: string | undefined }

/** The event with URLs in its messages as users know them. The job is asked for only if there are any: most events have none. */
async function withUpstreamUrls(store: Store, { evaluationId, event, tenant }: Told, upstreams: Upstreams): Promise<BenchmarkStatusEvent> {
  const { error_message: error, warning_message: warning } = event
  if (![error, warning].some((said) => said?.message.includes(upstreams.sidecarUrl))) return event
  const job = await store.findRequest(evaluationId, tenant)
  if (!job) return event
  const rewritten = (said: typeof error) =>
    said && { ...said, message: rewriteUrls(said.message.slice(0, READ_CHARACTERS), job, upstreams) }
  return { ...event, ...(error && { error_message: rewritten(error) }), ...(warning && { warning_message: rewritten(warning) }) }
}
