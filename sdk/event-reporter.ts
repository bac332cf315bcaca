import type { BenchmarkStatusEvent } from '#shared/models/event.ts'
import type { JobSpec } from '#shared/models/job-spec.ts'
import type { Message } from '#shared/models/message.ts'
import type { Phase } from '#shared/models/states.ts'
import { deliverEvent, eventsUrl, postEvent, type Posted } from './post-event.ts'

/** Progress alone leaves the process this often at most; a phase or a warning leaves at once. */
const PROGRESS_INTERVAL_MS = 500

type Ending = Pick<BenchmarkStatusEvent, 'status'> & Partial<BenchmarkStatusEvent>

/** Reports one run to the hub: one request at a time, in order, the newest progress only. */
export type EventReporter = {
  phase: (phase: Phase) => void
  progress: (share: number) => void
  warn: (code: string, text: string) => void
  /** Sends the terminal event after what is under way, at least once. Nothing is sent after it. */
  finish: (ending: Ending) => Promise<Posted>
}

type Options = {
  headers: () => Promise<Record<string, string>>
  deliverySeconds: number
  log: (line: string) => void
  /** Called once if the hub says that the run is over although it is not. */
  onEnded: () => void
}

/** All warnings so far as one message, since an event holds one. */
function warningFrom(warnings: readonly Message[]): Message | undefined {
  const [first, ...others] = warnings
  if (!first || others.length === 0) return first
  return { ...first, message: warnings.map(({ message }) => message).join('\n'), message_code: 'several_warnings' }
}

/** The reporter of one run. */
export function createEventReporter(spec: JobSpec, { headers, deliverySeconds, log, onEnded }: Options): EventReporter {
  const target = { url: eventsUrl(spec.callback_url, spec.id), headers }
  const warnings: Message[] = []
  const latest: { phase?: Phase; progress?: number } = {}
  const state = { pending: false, finished: false, idle: true, nextAt: 0 }
  let sending: Promise<void> = Promise.resolve()
  let timer: ReturnType<typeof setTimeout> | undefined

  const eventOf = (ending: Ending): BenchmarkStatusEvent => {
    const warning = warningFrom(warnings)
    const { provider_id, benchmark_id: id, benchmark_index } = spec
    return { provider_id, id, benchmark_index, ...latest, ...(warning && { warning_message: warning }), ...ending }
  }

  const send = async () => {
    while (state.pending && !state.finished) {
      state.pending = false
      state.nextAt = performance.now() + PROGRESS_INTERVAL_MS
      const posted = await postEvent(target, eventOf({ status: 'running' }))
      if (posted.outcome === 'ended') onEnded()
      if ('why' in posted) log(`Progress was not reported: ${posted.why}.`)
    }
    state.idle = true
  }

  const flush = () => {
    clearTimeout(timer)
    state.pending = true
    if (state.finished || !state.idle) return
    state.idle = false
    sending = send()
  }

  return {
    phase(phase) {
      latest.phase = phase
      flush()
    },
    progress(share) {
      latest.progress = Math.min(1, Math.max(0, share))
      clearTimeout(timer)
      const wait = state.nextAt - performance.now()
      if (wait <= 0 && state.idle) flush()
      else timer = setTimeout(flush, Math.max(wait, 50))
    },
    warn(code, text) {
      log(`Warning: ${text}`)
      warnings.push({ message: text, message_code: code, message_origin: 'adapter' })
      flush()
    },
    async finish(ending) {
      state.finished = true
      clearTimeout(timer)
      await sending
      return deliverEvent(target, eventOf(ending), { deliverySeconds, log })
    },
  }
}
