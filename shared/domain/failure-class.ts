import { z } from 'zod'

export const FAILURE_CLASSES = [
  'oom',
  'out_of_storage',
  'evicted',
  'preempted',
  'node_lost',
  'image_pull',
  'unschedulable',
  'missing_volume',
  'missing_secret',
  'missing_config',
  'queue_unknown',
  'quota',
  'init_failed',
  'deadline',
  'adapter_exit',
  'sidecar_failed',
  'rejected',
  'vanished',
  'launch_failed',
  'hub_restarted',
  'local_runtime_not_enabled',
  'invalid_id',
] as const
/** Why an attempt ended without its adapter's report: the closed list, for programs. People read the sentence that comes with it. */
export const FailureClass = z.enum(FAILURE_CLASSES)
export type FailureClass = z.infer<typeof FailureClass>

/**
 * Who can do something about it. `user`: whoever submitted the job, in the request, the provider or the objects that they name.
 * `operator`: whoever runs the cluster or the hub. `infrastructure`: nobody has to; the next attempt may well succeed.
 */
export type Fault = 'user' | 'operator' | 'infrastructure'

const FAULTS: Record<FailureClass, Fault> = {
  oom: 'user',
  out_of_storage: 'user',
  evicted: 'infrastructure',
  preempted: 'infrastructure',
  node_lost: 'infrastructure',
  image_pull: 'user',
  unschedulable: 'operator',
  missing_volume: 'user',
  missing_secret: 'user',
  missing_config: 'user',
  queue_unknown: 'user',
  quota: 'operator',
  init_failed: 'user',
  deadline: 'user',
  adapter_exit: 'user',
  sidecar_failed: 'infrastructure',
  rejected: 'operator',
  vanished: 'infrastructure',
  launch_failed: 'operator',
  hub_restarted: 'infrastructure',
  local_runtime_not_enabled: 'operator',
  invalid_id: 'user',
}

export const faultOf = (failureClass: FailureClass): Fault => FAULTS[failureClass]
