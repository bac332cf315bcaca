import type { V1Job } from '@kubernetes/client-node'
import { setTimeout as delay } from 'node:timers/promises'
import type { OpenStream } from '#k8s-bridge/kubernetes/api-stream.ts'

/** What a test saw of one Job, with eyes of its own: nothing here is the bridge's but how a connection is opened. */
export type RecordedJob = {
  uid: string
  namespace: string
  name: string
  isGone: boolean
}

export type JobRecord = {
  /** Every Job there ever was, by uid. */
  jobs: ReadonlyMap<string, RecordedJob>
  stop(): Promise<void>
}

type Change = { type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'ERROR' | 'BOOKMARK'; object: V1Job }

/** Writes down every Job of the cluster from now on, and tells `onChange` of each change. Goes on where it was after an outage. */
export function recordJobs(open: OpenStream, onChange: (job: V1Job, isGone: boolean) => void): JobRecord {
  const jobs = new Map<string, RecordedJob>()
  const stopping = new AbortController()
  const take = ({ type, object }: Change) => {
    const { uid = '', namespace = '', name = '' } = object.metadata ?? {}
    jobs.set(uid, { uid, namespace, name, isGone: type === 'DELETED' })
    onChange(object, type === 'DELETED')
  }
  const follow = async () => {
    let version = ''
    while (!stopping.signal.aborted) {
      try {
        if (version === '') version = await list(open, stopping.signal, jobs, take)
        const path = `/apis/batch/v1/jobs?watch=1&allowWatchBookmarks=true&resourceVersion=${version}`
        for await (const change of linesOf<Change>(await open(path, stopping.signal))) {
          // A server that was started again does not know its past.
          if (change.type === 'ERROR') throw new Error('expired')
          version = change.object.metadata?.resourceVersion ?? version
          if (change.type !== 'BOOKMARK') take(change)
        }
      } catch (error) {
        if (error instanceof Error && error.message === 'expired') version = ''
        await delay(100)
      }
    }
  }
  const ended = follow()
  return {
    jobs,
    stop: async () => {
      stopping.abort()
      await ended
    },
  }
}

type Jobs = ReadonlyMap<string, RecordedJob>

async function list(open: OpenStream, signal: AbortSignal, known: Jobs, take: (change: Change) => void): Promise<string> {
  let text = ''
  for await (const piece of await open('/apis/batch/v1/jobs', signal)) text += String(piece)
  const { items, metadata } = JSON.parse(text) as { items: V1Job[]; metadata: { resourceVersion: string } }
  const there = new Set(items.map((job) => job.metadata?.uid))
  for (const { uid, namespace, name, isGone } of known.values()) {
    if (!isGone && !there.has(uid)) take({ type: 'DELETED', object: { metadata: { uid, namespace, name } } })
  }
  for (const object of items) take({ type: 'ADDED', object })
  return metadata.resourceVersion
}

async function* linesOf<T>(stream: AsyncIterable<Buffer>): AsyncGenerator<T> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const piece of stream) {
    const lines = (rest + decoder.decode(piece, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) if (line !== '') yield JSON.parse(line) as T
  }
}
