import type { IncomingMessage, ServerResponse } from 'node:http'
import type { SidecarSettings } from './config.ts'
import { bodyOf, CLAIMS, ownLocation, passBack, sendOn } from './forward.ts'
import { RefusedTarget } from './guard.ts'
import { resolveCredentials } from './model-credential.ts'
import { UpstreamError, type Transport } from './transport.ts'
import { createUsageScanner, type ModelUsage } from './usage.ts'

/**
 * Passes a request on to the model, with the credential that it refers to, and counts what comes back in `usage`.
 *
 * Streams both ways. Follows no redirect: one within the service leads back here, one elsewhere is the adapter's to follow, without credentials.
 */
export async function proxyModel(
  model: NonNullable<SidecarSettings['model']>,
  transport: Transport,
  usage: ModelUsage,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { url, changes } = await resolveCredentials(request, model.url, model.secretPath)
  const body = await bodyOf(request)
  // Who asks is who has the credential, where that is not the adapter's own.
  const without = Object.keys(changes).length > 0 ? CLAIMS : undefined
  usage.requests++
  try {
    // An answer that is compressed could not be counted, and comes in clumps.
    const forwarding = { url, path: request.url ?? '/', changes: { ...changes, 'accept-encoding': 'identity' }, without }
    const answer = await sendOn(transport, request, response, forwarding, body)
    const status = answer.statusCode ?? 0
    if (status === 429) usage.errors.rate_limited++
    if (status >= 500) usage.errors.server_error++
    const scanner = createUsageScanner(/^text\/event-stream/i.test(answer.headers['content-type'] ?? ''))
    const location = ownLocation(answer, url, request)
    const broken = await passBack(answer, response, { onChunk: scanner.read, ...(location !== undefined && { changes: { location } }) })
    const { input, output } = scanner.tokens()
    usage.input_tokens += input
    usage.output_tokens += output
    if (broken) countError(usage, broken)
  } catch (error) {
    if (response.destroyed) usage.errors.timeout++
    else countError(usage, error)
    throw error
  }
}

function countError({ errors }: ModelUsage, error: unknown): void {
  if (error instanceof RefusedTarget) return
  if (error instanceof UpstreamError && error.kind === 'timeout') errors.timeout++
  else errors.connection++
}
