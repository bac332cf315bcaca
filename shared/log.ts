import { visibleJson } from './domain/visible-text.ts'

/** One line of JSON for each thing that operators should know. Values are never secrets: see the callers. */
export type Log = {
  info: (message: string, details?: object) => void
  /** Nothing failed, but somebody should look. */
  warn: (message: string, details?: object) => void
  error: (message: string, error: unknown, details?: object) => void
}

/** From the least to the most important. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const

export type LogLevel = (typeof LOG_LEVELS)[number]

type Rim = {
  write: (line: string) => void
  now: () => Date
  /** Lines below it are not written. */
  level?: LogLevel
}

/** A log that hands each line to `write`, with the time. An error is written with its causes and its stack. */
export function createLog({ write, now, level: least = 'info' }: Rim): Log {
  const line = (level: LogLevel, message: string, details: object) => {
    if (LOG_LEVELS.indexOf(level) < LOG_LEVELS.indexOf(least)) return
    write(visibleJson(JSON.stringify({ time: now().toISOString(), level, message, ...details })))
  }
  return {
    info: (message, details = {}) => line('info', message, details),
    warn: (message, details = {}) => line('warn', message, details),
    error: (message, error, details = {}) => line('error', message, { ...details, error: described(error) }),
  }
}

/** At most five causes deep, so that an error that names itself as its cause ends. */
function described(error: unknown, depth = 5): unknown {
  if (!(error instanceof Error) || depth === 0) return String(error)
  const { name, message, stack, cause } = error
  return { name, message, stack, ...(cause !== undefined && { cause: described(cause, depth - 1) }) }
}
