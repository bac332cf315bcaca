const MARK = 'evalhub-last-words: '

/** A line as it was written, or as the kubelet gives it with a time before it. No line of a log in JSON begins like that. */
const LINE = new RegExp(`^(?:\\d{4}-\\d\\d-\\d\\dT\\S+ )?${MARK}(\\{.*\\})\\r?$`)

/**
 * The one line of log in which a sidecar leaves a terminal event that the hub did not take: `body` as it would have been posted, JSON
 * with `benchmark_status_event`. Between its tokens line breaks become spaces; nothing else changes.
 */
export const formatLastWords = (body: string): string => `${MARK}${body.trim().replace(/[\r\n]+/g, ' ')}`

/**
 * The bodies of all such lines of a sidecar's log, in their order, each one once. They are JSON objects and nothing more is known of
 * them: read them as `POST …/events` reads its body. Lines that are cut off are left out.
 */
export function readLastWords(log: string): string[] {
  const bodies = log.split('\n').flatMap((line) => LINE.exec(line)?.[1] ?? [])
  return [...new Set(bodies)].filter(isJson)
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
