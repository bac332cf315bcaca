import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import type { Pool } from '#db/client.ts'
import { findLastChunks } from '#db/queries/last-chunks.ts'
import { attemptName, type AttemptKey } from '#shared/domain/attempt-key.ts'
import { secretsToHide, type Hidden } from '../redact.ts'
import { answerOf } from './api-answer.ts'
import type { KubernetesApi } from './api.ts'
import type { LogShipper } from './logs.ts'
import type { ObservedJob } from './observe.ts'
import type { SeenPod } from './seen-objects.ts'

/** The logs of attempts, as the runtime needs them. */
export type AttemptLogs = {
  /** Keeps the logs of these attempts, and of those that are not sealed only. Returns at once. */
  follow(shown: Iterable<ObservedJob>): void
  /** Keeps the rest of the logs of an attempt that has ended, and what the cluster told about it. */
  finish(shown: ObservedJob): Promise<void>
  /** The end of what a container wrote, as it is kept. */
  lastOutput(attempt: AttemptKey, container: string): Promise<string>
  close(): Promise<void>
}

type Options = {
  db: Pool
  api: KubernetesApi
  shipper: LogShipper
  onError: (error: unknown) => void
}

const decompress = promisify(gunzip)
/** Attempts whose Secrets are read at once: a bridge that starts beside thousands of pods must not ask for all of theirs together. */
const tracksMax = 16
/** More than the lines that a message shows, and than the events that a sidecar may leave. */
const lastBytes = 64 * 1024

export function createAttemptLogs({ db, api, shipper, onError }: Options): AttemptLogs {
  /** What must not be shown, by `attemptName`; read once, when its pod has begun. */
  const secrets = new Map<string, Promise<Hidden>>()
  /** Versions of what was handed on, by `attemptName`. */
  const told = new Map<string, string>()

  const secretsOf = (shown: ObservedJob, pod: SeenPod) => {
    const name = attemptName(shown.job)
    const known = secrets.get(name) ?? readSecrets(api, pod)
    secrets.set(name, known)
    known.catch(() => secrets.delete(name))
    return known
  }
  const track = async (shown: ObservedJob) => {
    const pod = podOf(shown)
    if (!pod) return
    const { evaluationId, benchmarkIndex, attempt } = shown.job
    const key = { evaluationId, benchmarkIndex, attempt }
    const hidden = await secretsOf(shown, pod)
    const containers = pod.containers.filter(({ ended, runningSinceMs }) => ended ?? runningSinceMs).map(({ name }) => name)
    if (containers.length > 0) shipper.track({ key, namespace: pod.namespace, name: pod.name, containers, secrets: hidden })
    await shipper.addEvents(key, shown.events, hidden)
  }

  /** What changed and was not handed on yet, by `attemptName`. */
  const changed = new Map<string, ObservedJob>()
  let underWay = 0
  const trackNext = () => {
    for (const [name, shown] of changed) {
      if (underWay >= tracksMax) return
      changed.delete(name)
      underWay++
      void track(shown)
        .catch((error: unknown) => {
          told.delete(name)
          onError(error)
        })
        .finally(() => {
          underWay--
          trackNext()
        })
    }
  }

  return {
    follow(attempts) {
      const present = new Set<string>()
      for (const shown of attempts) {
        if (shown.job.isSealed) continue
        const name = attemptName(shown.job)
        present.add(name)
        const version = versionOf(shown)
        if (told.get(name) === version) continue
        told.set(name, version)
        changed.set(name, shown)
      }
      trackNext()
      for (const name of told.keys()) if (!present.has(name)) forget(name)
    },
    async finish(shown) {
      await track(shown)
      await shipper.finish(shown.job)
    },
    async lastOutput(attempt, container) {
      const chunks = await findLastChunks(db, attempt, container, lastBytes)
      const texts = await Promise.all(chunks.map((chunk) => decompress(chunk)))
      return Buffer.concat(texts).subarray(-lastBytes).toString()
    },
    close: () => shipper.close(),
  }

  function forget(name: string) {
    told.delete(name)
    changed.delete(name)
    secrets.delete(name)
  }
}

/** The youngest; one that has gone may still be on its node. */
const podOf = ({ pods, gone }: ObservedJob) => [...gone, ...pods].toSorted((one, other) => other.createdAtMs - one.createdAtMs)[0]

/** Changes when a container begins or ends, and when the cluster tells something. */
const versionOf = (shown: ObservedJob) =>
  `${podOf(shown)?.uid} ${podOf(shown)?.version} ${shown.events.map(({ uid, version }) => uid + version).join(' ')}`

/** The values of the Secrets that the pod mounts. One that is not there hides nothing. */
async function readSecrets({ core }: KubernetesApi, { namespace, secretNames }: SeenPod): Promise<Hidden> {
  const found = await Promise.all(
    secretNames.map((name) =>
      core.readNamespacedSecret({ namespace, name }).catch((error: unknown) => {
        if (answerOf(error)?.code === 404) return undefined
        throw error
      }),
    ),
  )
  const values = found.flatMap((secret) => Object.values(secret?.data ?? {}))
  return secretsToHide(values.map((value) => Buffer.from(value, 'base64').toString()).flatMap(partsOf))
}

/** A value, and if it is JSON, such as the credentials of a registry, the texts in it. */
function partsOf(value: string): string[] {
  if (!value.trimStart().startsWith('{')) return [value]
  const texts: string[] = []
  try {
    JSON.parse(value, (_, part: unknown) => {
      if (typeof part === 'string') texts.push(part)
      return part
    })
  } catch {
    // Then it is no JSON, and hidden as a whole.
  }
  return [value, ...texts]
}
