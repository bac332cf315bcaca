import type { MiddlewareHandler } from 'hono'
import { HubError } from '#shared/errors.ts'
import { SIDECAR_VIA } from '#shared/sidecar-via.ts'
import type { AppEnv } from '../env.ts'

/**
 * Refuses with `foreign_request` what a sidecar passed on as if the hub were a model, a registry or MLflow. Sidecars go to no address of the hub
 * that they know of; this is for those that they do not know, such as a pod's or a gateway's.
 */
export const notThroughSidecar: MiddlewareHandler<AppEnv> = function notThroughSidecar(c, next) {
  if (!c.req.header('via')?.includes(SIDECAR_VIA)) return next()
  throw HubError.of('foreign_request', { Error: 'This is EvalHub itself, which no URL of an evaluation may lead to.' })
}
