import type { AttemptKey } from './domain/attempt-key.ts'
import { hexOf } from './hex.ts'

/** `evalhub-run.<index>.<attempt>.<64 hexadecimal digits>`; the job is not named, since the path of a callback names it. */
const FORMAT = /^evalhub-run\.(0|[1-9]\d{0,8})\.([1-9]\d{0,4})\.([0-9a-f]{64})$/

/** True for a credential that says that it is a run token, whether or not it is a good one. */
export const isRunToken = (credential: string): boolean => credential.startsWith('evalhub-run.')

/**
 * The token with which the adapter of one attempt reports: HMAC-SHA-256 over the job, the index and the attempt.
 *
 * It never expires and is the same whenever it is made. Whether the attempt is still the present one is for the row to say.
 */
export async function makeRunToken(key: string, { evaluationId, benchmarkIndex, attempt }: AttemptKey): Promise<string> {
  const signature = await crypto.subtle.sign('HMAC', await importKey(key, 'sign'), signed({ evaluationId, benchmarkIndex, attempt }))
  return `evalhub-run.${benchmarkIndex}.${attempt}.${hexOf(signature)}`
}

/** The attempt that `token` speaks for, if it was made with `key` for a run of `evaluationId`. Takes as long for a near miss as for a far one. */
export async function readRunToken(key: string, evaluationId: string, token: string): Promise<AttemptKey | undefined> {
  const [, index, attempt, digits] = FORMAT.exec(token) ?? []
  if (index === undefined || attempt === undefined || digits === undefined) return undefined
  const run = { evaluationId, benchmarkIndex: Number(index), attempt: Number(attempt) }
  const signature = Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
  // `verify` compares in constant time.
  return (await crypto.subtle.verify('HMAC', await importKey(key, 'verify'), signature, signed(run))) ? run : undefined
}

/** Ids are UUIDs, which the database reads in either case. */
const signed = ({ evaluationId, benchmarkIndex, attempt }: AttemptKey) =>
  new TextEncoder().encode(`evalhub run token: ${evaluationId.toLowerCase()} ${benchmarkIndex} ${attempt}`)

const importKey = (key: string, use: 'sign' | 'verify') =>
  crypto.subtle.importKey('raw', new TextEncoder().encode(key), { name: 'HMAC', hash: 'SHA-256' }, false, [use])
