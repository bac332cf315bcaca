import { KubeConfig } from '@kubernetes/client-node'
import { expect, test } from 'vitest'
import { connectKubernetes } from './api.ts'
import { removeJob } from './job-actions.ts'
import type { ObservedJob } from './observe.ts'
import { startServer } from './test-api.ts'
import { trimJob, trimPod } from './trim.ts'

const labels = { job_id: '0197a5c0-1234-7abc-8def-0123456789ab', benchmark_index: '0', 'eval-hub.github.io/attempt': '1' }
const metadataOf = (name: string) => ({ name, namespace: 'team-a', uid: `uid-of-${name}`, resourceVersion: '1', labels })
const shown: ObservedJob = {
  job: trimJob({ metadata: metadataOf('job') })!,
  pods: [trimPod({ metadata: metadataOf('pod') })!],
  gone: [],
  events: [],
}

// Guarantee: an adapter that ignores its signal is gone 30 s after a cancel. The Job's removal alone gives it its own 10 minutes, for good.
test('a pod gets its short grace before the removal of its Job gives it a long one', async () => {
  const asked: string[] = []
  const { url, stop } = await startServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { gracePeriodSeconds: grace, propagationPolicy: policy, preconditions } = JSON.parse(Buffer.concat(chunks).toString())
      asked.push(`${request.method} ${request.url?.split('/').at(-1)} ${preconditions.uid} ${grace ?? policy}`)
      response.setHeader('content-type', 'application/json').end('{"kind":"Status","status":"Success"}')
    })
  })
  await using stack = new AsyncDisposableStack()
  stack.defer(stop)
  const config = new KubeConfig()
  config.loadFromClusterAndUser({ name: 'test', server: url, skipTLSVerify: true }, { name: 'nobody' })

  await removeJob(connectKubernetes(config), shown)

  expect(asked).toEqual(['DELETE pod uid-of-pod 30', 'DELETE job uid-of-job Foreground'])
})
