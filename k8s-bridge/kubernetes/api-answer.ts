import { ApiException } from '@kubernetes/client-node'
import { z } from 'zod'
import type { FailureClass } from '#shared/domain/failure-class.ts'
import type { RunEnd } from '../runtime.ts'

/** How the API server says no. */
export type ApiAnswer = {
  code: number
  reason: string
  /** Its words, cut after 1500 characters. */
  message: string
  /** Reasons of the causes that it names. */
  causes: string[]
}

const Status = z.object({
  reason: z.string().default(''),
  message: z.string().default(''),
  details: z.object({ causes: z.array(z.object({ reason: z.string().default('') })).default([]) }).optional(),
})

/** Undefined for an error that is no answer: the server was not reached, or did not answer in time. */
export function answerOf(error: unknown): ApiAnswer | undefined {
  if (!(error instanceof ApiException)) return undefined
  const { reason, message, details } = Status.safeParse(parsed(error.body)).data ?? { reason: '', message: String(error.body ?? '') }
  return { code: error.code, reason, message: message.slice(0, 1500), causes: (details?.causes ?? []).map((cause) => cause.reason) }
}

function parsed(body: unknown): unknown {
  if (typeof body !== 'string') return body
  try {
    return JSON.parse(body)
  } catch {
    // A proxy's page: its text is the message.
    return undefined
  }
}

/** An error of a call in one line that a user may read, instead of an answer with all its headers. */
export function explained(error: unknown): Error {
  const answer = answerOf(error)
  if (answer) {
    const words = answer.message || answer.reason
    return new Error(`Kubernetes answered ${answer.code}${words && `: ${words}`}`, { cause: error })
  }
  if (error instanceof Error && error.name === 'TimeoutError') return new Error('Kubernetes did not answer in time', { cause: error })
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') {
    return new Error(`Kubernetes cannot be reached: ${error.message}`, { cause: error })
  }
  return error instanceof Error ? error : new Error(String(error))
}

/** Why an attempt is not launched: for good, or yet, and then it may be later without anybody submitting anew. */
export type NotLaunched = { refused: RunEnd } | { obstacle: RunEnd }

/** `exists` and `again` are for the caller to go on with. */
export type Verdict = NotLaunched | 'exists' | 'again'

/** What an answer to the creation of one of a run's objects means for the run. */
export function verdictOn({ code, reason, message, causes }: ApiAnswer, kind: string, namespace: string): Verdict {
  if (code === 409 && reason === 'AlreadyExists') return 'exists'
  if (/failed calling webhook/.test(message)) {
    return { obstacle: end('rejected', `An admission webhook of the cluster cannot be asked, so Kubernetes takes no ${kind}: ${message}`) }
  }
  if (code === 429 || code >= 500) return 'again'
  if (code === 404) {
    if (!message.startsWith('namespaces ')) return 'again'
    return {
      obstacle: end(
        'missing_config',
        `The namespace ${namespace} of this tenant does not exist in the cluster. Create it, and the run starts.`,
      ),
    }
  }
  if (code === 403) return forbidden({ message, causes }, kind, namespace)
  if (code === 400 || code === 413 || code === 422) return { refused: end('rejected', `Kubernetes rejected the ${kind}: ${message}`) }
  return 'again'
}

function forbidden({ message, causes }: Pick<ApiAnswer, 'message' | 'causes'>, kind: string, namespace: string): Verdict {
  if (causes.includes('NamespaceTerminating')) {
    return { obstacle: end('missing_config', `The namespace ${namespace} of this tenant is being deleted, so nothing can start in it.`) }
  }
  if (/exceeded quota|status unknown for quota/.test(message)) {
    const advice = 'The run starts when there is room: when others have ended, or the quota is raised.'
    return { obstacle: end('quota', `The quota of namespace ${namespace} has no room for the ${kind}: ${message}. ${advice}`) }
  }
  if (/ cannot create resource /.test(message)) {
    const advice = 'The administrator creates the namespace, or binds EvalHub’s role in it.'
    return {
      obstacle: end(
        'missing_config',
        `EvalHub may create no ${kind} in namespace ${namespace}, or it does not exist. ${advice} (${message})`,
      ),
    }
  }
  return { refused: end('rejected', `Kubernetes rejected the ${kind}: ${message}`) }
}

const end = (failureClass: FailureClass, message: string): RunEnd => ({ failureClass, message })
