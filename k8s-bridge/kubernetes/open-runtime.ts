import type { KubeConfig } from '@kubernetes/client-node'
import type { Pool } from '#db/client.ts'
import { appendLog } from '#db/commands/append-log.ts'
import { findLogEnd } from '#db/queries/log-end.ts'
import type { Runtime } from '../runtime.ts'
import { connectKubernetes } from './api.ts'
import { streamFrom } from './api-stream.ts'
import { createAttemptLogs } from './attempt-logs.ts'
import { createLogShipper } from './logs.ts'
import { createKubernetesRuntime, type KubernetesRuntimeOptions } from './runtime.ts'

export type OpenOptions = Omit<KubernetesRuntimeOptions, 'api' | 'open' | 'logs'> & {
  db: Pool
  kubeConfig: KubeConfig
  /** Adapters whose logs are followed at once; others are read every 30 s, and whole at their end. */
  followedMax: number
}

/** The runtime with its connections to the cluster of `kubeConfig`; none is opened before it is needed. */
export function openKubernetesRuntime({ db, kubeConfig, followedMax, ...options }: OpenOptions): Runtime {
  const { onError } = options
  const api = connectKubernetes(kubeConfig)
  const open = streamFrom(kubeConfig)
  const shipper = createLogShipper({
    open,
    followedMax,
    append: (key, container, piece) => appendLog(db, { ...key, container, ...piece }),
    findEnd: (key, container, wish) => findLogEnd(db, key, container, wish),
    onError,
    nowMs: () => Date.now(),
  })
  const logs = createAttemptLogs({ db, api, shipper, onError })
  return createKubernetesRuntime({ ...options, api, open, logs })
}
