import { readFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { SidecarSettings } from './config.ts'
import { bodyOf, ownLocation, passBack, PLAIN_HEADERS, sendOn } from './forward.ts'
import { requireTracking } from './mlflow-scope.ts'
import type { Transport } from './transport.ts'

/** Passes what an adapter needs of MLflow on to it, with the service account's token and in the run's workspace, whatever the adapter sent of both. */
export async function proxyMlflow(
  { url, tokenPath, workspace }: NonNullable<SidecarSettings['mlflow']>,
  transport: Transport,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  requireTracking(request, workspace)
  // Tokens that Kubernetes mounts are renewed under a running process.
  const token = tokenPath === undefined ? '' : (await readFile(tokenPath, 'utf8')).trim()
  const changes = {
    authorization: token === '' ? undefined : `Bearer ${token}`,
    ...(workspace !== undefined && { 'x-mlflow-workspace': workspace }),
  }
  const path = `${url.pathname.replace(/\/+$/, '')}${request.url}`
  const answer = await sendOn(transport, request, response, { url, path, changes, only: PLAIN_HEADERS }, await bodyOf(request))
  // A session that begins with that token is not the adapter's.
  await passBack(answer, response, { changes: { location: ownLocation(answer, url, request), 'set-cookie': undefined } })
}
