import { afterAll } from 'vitest'
import { startApiServer } from '#k8s-bridge/kubernetes/test-api-server.ts'
import { testOn } from './cluster.ts'
import type { ApiServer } from './control-plane.ts'

let server: Promise<ApiServer> | undefined
afterAll(async () => (await server)?.stop())

/** On the API server of `k8s-bridge/kubernetes/test-api-server.ts`, one for each test file: wherever tests run. */
export const test = testOn({
  kubeconfig: async () => (await (server ??= startApiServer())).kubeconfig,
  startOwn: startApiServer,
})
