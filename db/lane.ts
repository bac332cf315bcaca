import postgres from 'postgres'
import { connect, type ConnectionLimits, type Pool } from './client.ts'

/** What the driver (postgres 3.4.9) keeps of a statement that it has sent, beside what it shows. */
type Sent = { active: boolean; canceller: ((query: Sent) => Promise<void>) | null }

/** What is carried out on a connection. `sent` is to be told of each statement. */
export type Work<Answer> = (sql: Pool, sent: (query: PromiseLike<unknown>) => void) => PromiseLike<Answer>

export type Run<Answer> = {
  answer: Promise<Answer>
  /**
   * Cancels it in the database, as soon as it is at work there, and again until it has ended. The connection is of no more use then: a cancel that
   * comes late may meet another statement, which then fails with `57014`.
   */
  giveUp: () => void
}

/** One connection. */
export type Lane = {
  limits: ConnectionLimits
  /** Statements may follow each other before they are answered; a transaction is to be alone. */
  run: <Answer>(work: Work<Answer>) => Run<Answer>
  /** Something on it was given up. */
  isSpent: () => boolean
  end: () => Promise<void>
}

/** A cancel that comes between two statements meets neither. */
const CANCEL_AGAIN_MS = 50

/** For a database that does not answer a cancel either: then the connection is closed, which `client_connection_check_interval` lets it see. */
const CLOSE_AFTER_MS = 5000

/** Opens nothing before the first statement. */
export function openLane(url: string, limits: ConnectionLimits): Lane {
  const sql = connect(url, { max: 1, limits })
  const close = () => sql.end({ timeout: 0 })
  let isSpent = false
  /** Of what was given up and has not ended. */
  const cancels = new Set<() => void>()

  return {
    limits,
    isSpent: () => isSpent,
    end: close,
    run(work) {
      const sent: Sent[] = []
      let cancelling: ReturnType<typeof setTimeout> | undefined
      let closing: ReturnType<typeof setTimeout> | undefined
      let isOver = false
      // The driver's own `cancel()` cannot be used: where the database is away its promise is dropped and ends the process, and of a statement that
      // was not sent yet it takes the connection with it, which then waits for ever for an answer to nothing.
      const cancel = () => {
        clearTimeout(cancelling)
        for (const query of sent) if (query.active) query.canceller?.(query).catch(() => undefined)
        cancelling = setTimeout(cancel, CANCEL_AGAIN_MS)
      }
      const answerOf = async () => {
        try {
          // It is a statement of the driver, which has these.
          return await work(sql, (query) => void sent.push(query as unknown as Sent))
        } finally {
          isOver = true
          clearTimeout(cancelling)
          clearTimeout(closing)
          cancels.delete(cancel)
          // What follows it is at work now.
          for (const one of cancels) one()
        }
      }
      return {
        answer: answerOf(),
        giveUp() {
          if (isOver) return
          isSpent = true
          cancels.add(cancel)
          cancel()
          closing = setTimeout(() => void close(), CLOSE_AFTER_MS)
        },
      }
    },
  }
}

/** In how a server, or a pooler before it, says that it takes no connection with such a parameter. */
const ABOUT_PARAMETERS = /startup|parameter/i

/** Not of a statement, in whose errors anybody's words may be. PostgreSQL always says how severe an error is; PgBouncer does not. */
const isOfConnection = ({ severity }: { severity?: string }) => severity === undefined || severity === 'FATAL'

/** Of `limits` those that are left when a connection was refused for them: those that the refusal does not name, or none. Undefined for another error. */
export function limitsAfter(error: unknown, limits: ConnectionLimits): ConnectionLimits | undefined {
  if (!(error instanceof postgres.PostgresError) || !isOfConnection(error) || Object.keys(limits).length === 0) return undefined
  const left = Object.entries(limits).filter(([name]) => !error.message.includes(name))
  if (left.length < Object.keys(limits).length) return Object.fromEntries(left)
  return ABOUT_PARAMETERS.test(error.message) ? {} : undefined
}

/** The database gave the statement no more time: this process cancelled it, or it was told to by its limits. */
export const isCancelled = (error: unknown): boolean => error instanceof postgres.PostgresError && error.code === '57014'
