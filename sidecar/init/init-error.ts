/** Why the data of a benchmark cannot be had: one line for the user, which says what failed and what to do, and holds no secret. */
export class InitError extends Error {
  override readonly name = 'InitError'
}

const HINTS: Record<string, string> = {
  ENOTFOUND: 'check the name of the host',
  EAI_AGAIN: "the cluster's DNS did not answer; try again",
  ECONNREFUSED: 'check host and port, and that the server runs',
  ENOSPC: 'the data need more room than the node gives this pod; name a smaller part of them',
  EACCES: 'the directory for the data cannot be written; tell the operator',
  SELF_SIGNED_CERT_IN_CHAIN: "give the pod the authority's certificate",
  DEPTH_ZERO_SELF_SIGNED_CERT: "give the pod the authority's certificate",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "give the pod the authority's certificate",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "give the pod the authority's certificate",
}

/** The line for any error. An `InitError` may be wrapped by a library. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return oneLine(String(error))
  if (error instanceof InitError) return oneLine(error.message)
  if (error.cause instanceof InitError) return oneLine(error.cause.message)
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  const hint = HINTS[code] ?? 'try again, and check the address if that does not help'
  return `${oneLine(error.message || code || error.name)}; ${hint}`
}

const oneLine = (text: string) => text.replace(/\s+/g, ' ').trim().slice(0, 1000)
