import postgres from 'postgres'
import { connect, type ConnectionLimits, type Pool } from './client.ts'

/** What the driver (postgres 3.4.9) keeps of a statement that it has sent, beside what it shows. */
type Sent = { active: boolean; canceller: ((query: Sent) => Promise<void>) | null }

/** What is carried out on a connection. `sent` is to be told of each statement. */
export type Work<Answer> = (sql: Pool, sent: (query: PromiseLike<unknown>) => void) => PromiseLike<Answer>

/** A connection that carries out one thing at a time, which can be given up. */
export type Lane = {
  limits: ConnectionLimits
  run: <Answer>(work: Work<Answer>) => Promise<Answer>
  /** Cancels what is under way, again and again until it has ended. The lane is of no more use then. */
  giveUp: () => void
  isGivenUp: () => boolean
  end: (timeoutSeconds: number) => Promise<void>
}

/** A cancel that comes between two statements of a transaction meets neither. */
const CANCEL_AGAIN_MS = 250

/** For a database that does not answer a cancel either: then the connection is closed, which `client_connection_check_interval` lets it see. */
const CLOSE_AFTER_MS = 5000

/** Opens nothing before the first statement. */
export function openLane(url: string, limits: ConnectionLimits): Lane {
  const sql = connect(url, { max: 1, limits })
  let sent: Sent[] = []
  let isGivenUp = false
  let cancelling: ReturnType<typeof setTimeout> | undefined
  let closing: ReturnType<typeof setTimeout> | undefined

  // The driver's own `cancel()` cannot be used: where the database is away its promise is dropped and ends the process, and of a statement that
  // was not sent yet it takes the connection with it, which then waits for ever for an answer to nothing.
  const cancel = () => {
    for (const query of sent) if (query.active) query.canceller?.(query).catch(() => undefined)
    cancelling = setTimeout(cancel, CANCEL_AGAIN_MS)
  }
  // It is a statement of the driver, which has these.
  const note = (query: PromiseLike<unknown>) => void sent.push(query as unknown as Sent)

  return {
    limits,
    isGivenUp: () => isGivenUp,
    async run(work) {
      sent = []
      try {
        return await work(sql, note)
      } finally {
        clearTimeout(cancelling)
        clearTimeout(closing)
      }
    },
    giveUp() {
      isGivenUp = true
      cancel()
      closing = setTimeout(() => void sql.end({ timeout: 0 }), CLOSE_AFTER_MS)
    },
    end: (timeout) => sql.end({ timeout }),
  }
}

/** In how a server, or a pooler before it, says that it takes no connection with such a parameter. */
const ABOUT_PARAMETERS = /startup|parameter/i

/** Of `limits` those that are left when a connection was refused for them: those that the refusal does not name, or none. Undefined for another error. */
export function limitsAfter(error: unknown, limits: ConnectionLimits): ConnectionLimits | undefined {
  if (!(error instanceof postgres.PostgresError) || error.severity !== 'FATAL' || Object.keys(limits).length === 0) return undefined
  const left = Object.entries(limits).filter(([name]) => !error.message.includes(name))
  if (left.length < Object.keys(limits).length) return Object.fromEntries(left)
  return ABOUT_PARAMETERS.test(error.message) ? {} : undefined
}
