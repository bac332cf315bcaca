import { AdapterFailure } from './adapter.ts'
import { exchange, type Answer, type Content } from './exchange.ts'
import { pause } from './pause.ts'
import { reasonOf, retryAfterMs, retryDelayMs } from './request.ts'

/** What is stored below its digest: a file, or text. */
export type Stored = { digest: string; mediaType: string; content: Content }

type Settings = {
  /** Where the registry's API is asked: the sidecar. */
  baseUrl: string
  /** The repository as users know it, with its host. */
  shownAs: string
  repository: string
  /** How long a registry that fails is asked again, from its first failure. */
  patienceSeconds: number
  signal: AbortSignal
  log: (line: string) => void
}

/** One repository of an OCI registry, which is written to. Throws `AdapterFailure` in words for the user, or the reason of an aborted `signal`. */
export type Registry = {
  /** Stores what is not there yet. */
  putBlob: (blob: Stored) => Promise<void>
  putManifest: (tag: string, manifest: Stored) => Promise<void>
}

/** An answer that is not the wanted one, or none. */
class RegistryError extends Error {
  override readonly name = 'RegistryError'
  /** Undefined: there was no answer. */
  readonly status: number | undefined
  readonly retryAfter: number | undefined

  constructor(message: string, answer?: Answer) {
    super(message)
    this.status = answer?.status
    this.retryAfter = retryAfterMs(answer?.headers['retry-after'] ?? null, Date.now())
  }
}

/** Speaks the distribution API; each step is repeated while the registry, or the way to it, fails. */
export function createRegistry(settings: Settings): Registry {
  const { baseUrl, repository, signal } = settings
  const base = new URL(`/v2/${repository}/`, baseUrl)

  const ask = async (url: URL, method: string, { content, mediaType: type }: Partial<Stored> = {}): Promise<Answer> => {
    try {
      const headers = type === undefined ? {} : { 'content-type': type }
      return await exchange(url, { method, headers, signal, ...(content && { content }) })
    } catch (error) {
      signal.throwIfAborted()
      throw new RegistryError(`there was no answer (${reasonOf(error)})`)
    }
  }
  const expect = async (status: number, ...[url, method, stored]: Parameters<typeof ask>): Promise<Answer> => {
    const answer = await ask(url, method, stored)
    if (answer.status !== status) throw new RegistryError(`it answered ${answer.status} to ${method}${saidIn(answer.text)}`, answer)
    return answer
  }
  const upload = async (blob: Stored) => {
    const { status } = await ask(new URL(`blobs/${blob.digest}`, base), 'HEAD')
    // Some lead to where they keep it. What else they say, they say again in words to the upload.
    if (status === 200 || status === 307) return
    const begun = await expect(202, new URL('blobs/uploads/', base), 'POST')
    const location = new URL(begun.headers.location ?? '', base)
    location.searchParams.set('digest', blob.digest)
    await expect(201, location, 'PUT', { ...blob, mediaType: 'application/octet-stream' })
  }
  const store = async (tag: string, manifest: Stored) => {
    const answer = await expect(201, new URL(`manifests/${tag}`, base), 'PUT', manifest)
    const digest = answer.headers['docker-content-digest'] ?? manifest.digest
    if (digest !== manifest.digest) throw new RegistryError(`it stored ${String(digest)} in place of ${manifest.digest}`, answer)
  }
  return {
    putBlob: (blob) => persist(settings, () => upload(blob)),
    putManifest: (tag, manifest) => persist(settings, () => store(tag, manifest)),
  }
}

/** The registry's own words, which are `{ errors: [{ code, message }] }`; a sidecar's are text. */
function saidIn(text: string): string {
  const [, code, message] = /"code":\s*"(\w+)"(?:[^{}]*?"message":\s*"((?:[^"\\]|\\.)*)")?/.exec(text) ?? []
  const said = code === undefined ? text.trim().slice(0, 300) : [code, message].filter(Boolean).join(': ')
  return said && ` (${said})`
}

const PASSING = new Set([408, 425, 429])

/** A sidecar gets a new token after a 401, and an upload that the registry has forgotten (404) is begun anew: each may help once. */
const mayPass = ({ status }: RegistryError, tried: number) =>
  status === undefined || status >= 500 || PASSING.has(status) || ((status === 401 || status === 404) && tried === 1)

async function persist({ shownAs, patienceSeconds, signal, log }: Settings, work: () => Promise<void>): Promise<void> {
  let end: number | undefined
  for (let tried = 1; ; tried++) {
    try {
      return await work()
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof RegistryError)) throw error
      const now = performance.now()
      end ??= now + patienceSeconds * 1000
      const delay = mayPass(error, tried) ? retryDelayMs(tried, Infinity, error.retryAfter, Math.random()) : undefined
      if (delay === undefined || now + delay > end) throw failure(shownAs, error, patienceSeconds)
      log(`The artifacts are not in ${shownAs} yet: ${error.message}; trying again.`)
      await pause(delay, signal)
    }
  }
}

function failure(shownAs: string, error: RegistryError, patienceSeconds: number): AdapterFailure {
  const message = `The artifacts could not be stored in ${shownAs}: ${error.message}. ${hintFor(error, patienceSeconds)}`
  return new AdapterFailure('oci_export_failed', message, { cause: error })
}

function hintFor({ status }: RegistryError, patienceSeconds: number): string {
  if (status === 401 || status === 403)
    return 'exports.oci.k8s.connection must name a Secret (kubernetes.io/dockerconfigjson) whose account may push there.'
  if (status === 413) return 'The registry, or a proxy before it, takes no file that large: its limit must be raised.'
  if (status === undefined || status === 429 || status >= 500)
    return `It was asked again for ${patienceSeconds} s. Submit the job again once the registry answers.`
  return 'Check exports.oci.coordinates: host, repository and tag.'
}
