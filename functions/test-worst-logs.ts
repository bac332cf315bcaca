import { gzipSync } from 'node:zlib'

/** A log that takes as much work to show as an adapter can make it: a piece of it, as the bridge keeps one, again and again. */
export type WorstLog = {
  name: string
  text: Buffer
  /** `appendLog` says what. Null where an adapter's process is on this machine. */
  times: Buffer | null
  timestamps: boolean
}

/** Of a process on this machine, and of a pod, whose lines have times. */
const [LOCAL_BYTES, POD_BYTES] = [1024 * 1024, 320 * 1024]

const SENTENCE = 'A line as most are: 64 words of a framework, none of them special.\n'

const log = (name: string, unit: string | Buffer, timestamps = false): WorstLog => ({
  name,
  text: Buffer.alloc(LOCAL_BYTES, unit),
  times: null,
  timestamps,
})

function logOfPod(name: string, unit: string): WorstLog {
  const text = Buffer.alloc(POD_BYTES, unit)
  const lines = text.filter((byte) => byte === 10).length + (text.at(-1) === 10 ? 0 : 1)
  return { name, text, times: gzipSync('2026-11-23T12:00:00.000000001Z\n'.repeat(lines)), timestamps: true }
}

/** What others are compared with. */
export const PLAIN_LOG = log('plain lines', SENTENCE)

export const WORST_LOGS: readonly WorstLog[] = [
  PLAIN_LOG,
  log('bytes of no character', Buffer.from([0xff])),
  log('bytes of no character between letters', Buffer.from([0xff, 97])),
  log('characters that are not seen', '\u2028'),
  log('control characters', '\u001b'),
  log('letters beyond ASCII', 'ü'),
  log('selectors of emoji', '⚠\ufe0f'),
  log('selectors of nothing', 'ü\ufe0f'),
  log('no lines', '\n'),
  log('lines like ours', '=== pod=\n'),
  log('bytes of no character, with times', Buffer.from([0xff]), true),
  log('no lines, with times', '\n', true),
  log('lines like ours, with times', '=== pod=\n', true),
  logOfPod('no lines of a pod, with their times', '\n'),
  logOfPod('lines like ours of a pod, with their times', '=== pod=\n'),
]
