import { parseUrl } from '#shared/domain/url-problem.ts'
import { AdapterFailure } from './adapter.ts'
import { exchange, Unanswered, type Answer, type Content } from './exchange.ts'
import { pause } from './pause.ts'
import { reasonOf, retryAfterMs, retryDelayMs } from './request.ts'

/** What is stored below its digest: a file, or text. */
export type Stored = { digest: string; mediaType: string; content: Content }

/** What is left of a step's patience. */
type LeftMs = () => number

type Settings = {
  /** Where the registry's API is asked: the sidecar. */
  baseUrl: string
  /** The repository as users know it, with its host. */
  shownAs: string
  repository: string
  /** How long a registry that fails is asked again, from its first failure; and for one answer, what is left of it. */
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

  const ask = async (leftMs: LeftMs, url: URL, method: string, { content, mediaType: type }: Partial<Stored> = {}): Promise<Answer> => {
    try {
      const headers = type === undefined ? {} : { 'content-type': type }
      return await exchange(url, { method, headers, patienceMs: leftMs(), signal, ...(content && { content }) })
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof Unanswered) throw failure(settings, new RegistryError(error.message))
      throw new RegistryError(`there was no answer (${reasonOf(error)})`)
    }
  }
  const expect = async (status: number, ...[leftMs, url, method, stored]: Parameters<typeof ask>): Promise<Answer> => {
    const answer = await ask(leftMs, url, method, stored)
    if (answer.status !== status) throw new RegistryError(`it answered ${answer.status} to ${method}${saidIn(answer.text)}`, answer)
    return answer
  }
  const upload = async (leftMs: LeftMs, blob: Stored) => {
    const { status } = await ask(leftMs, new URL(`blobs/${blob.digest}`, base), 'HEAD')
    // Some lead to where they keep it. What else they say, they say again in words to the upload.
    if (status === 200 || status === 307) return
    const begun = await expect(202, leftMs, new URL('blobs/uploads/', base), 'POST')
    const location = uploadUrl(begun, settings, base)
    location.searchParams.set('digest', blob.digest)
    await expect(201, leftMs, location, 'PUT', { ...blob, mediaType: 'application/octet-stream' })
  }
  const store = async (leftMs: LeftMs, tag: string, manifest: Stored) => {
    const answer = await expect(201, leftMs, new URL(`manifests/${tag}`, base), 'PUT', manifest)
    const digest = answer.headers['docker-content-digest'] ?? manifest.digest
    if (digest !== manifest.digest) throw new RegistryError(`it stored ${String(digest)} in place of ${manifest.digest}`, answer)
  }
  return {
    putBlob: (blob) => persist(settings, (leftMs) => upload(leftMs, blob)),
    putManifest: (tag, manifest) => persist(settings, (leftMs) => store(leftMs, tag, manifest)),
  }
}

/** Where an upload goes on, which is the sidecar again: any other host would get the files, and be asked from inside the cluster. */
function uploadUrl({ headers: { location = '' } }: Answer, settings: Settings, base: URL): URL {
  const url = parseUrl(location, base)
  if (url?.origin === base.origin) return url
  const place = url?.host ? shortened(`${url.protocol}//${url.host}`) : 'what is no address of a host'
  const error = new RegistryError(`it sends its uploads to ${place}, elsewhere than it is asked, which is not followed`)
  throw failure(settings, error, 'Choose a registry that takes uploads at its own address.')
}

/** What others wrote, for a sentence. */
export const shortened = (text: string) => (text.length <= 80 ? text : `${text.slice(0, 80).toWellFormed()}…`)

/** The registry's own words, which are `{ errors: [{ code, message }] }`; a sidecar's are text. */
function saidIn(text: string): string {
  const [, code, message] = /"code":\s*"(\w+)"(?:[^{}]*?"message":\s*"((?:[^"\\]|\\.)*)")?/.exec(text.slice(0, 10_000)) ?? []
  const said = code === undefined ? text.trim().slice(0, 300) : [code, message].filter(Boolean).join(': ')
  return said && ` (${said})`
}

const PASSING = new Set([408, 425, 429])

/** A sidecar gets a new token after a 401, and an upload that the registry has forgotten (404) is begun anew: each may help once. */
const mayPass = ({ status }: RegistryError, tried: number) =>
  status === undefined || status >= 500 || PASSING.has(status) || ((status === 401 || status === 404) && tried === 1)

async function persist(settings: Settings, work: (leftMs: LeftMs) => Promise<void>): Promise<void> {
  const { shownAs, signal, log } = settings
  const patienceMs = settings.patienceSeconds * 1000
  let end: number | undefined
  const leftMs = () => (end === undefined ? patienceMs : end - performance.now())
  for (let tried = 1; ; tried++) {
    try {
      return await work(leftMs)
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof RegistryError)) throw error
      const now = performance.now()
      end ??= now + patienceMs
      const delay = mayPass(error, tried) ? retryDelayMs(tried, Infinity, error.retryAfter, Math.random()) : undefined
      if (delay === undefined || now + delay > end) throw failure(settings, error)
      log(`The artifacts are not in ${shownAs} yet: ${error.message}; trying again.`)
      await pause(delay, signal)
    }
  }
}

function failure({ shownAs, patienceSeconds }: Settings, error: RegistryError, hint = hintFor(error, patienceSeconds)): AdapterFailure {
  const message = `The artifacts could not be stored in ${shownAs}: ${error.message}. ${hint}`
  return new AdapterFailure('oci_export_failed', message, { cause: error })
}

function hintFor({ status }: RegistryError, patienceSeconds: number): string {
  if (status === 401 || status === 403)
    return 'exports.oci.k8s.connection must name a Secret (kubernetes.io/dockerconfigjson) whose account may push there.'
  if (status === 413) return 'The registry, or a proxy before it, takes no file that large: its limit must be raised.'
  if (status === undefined || status === 429 || status >= 500)
    return `It was given ${patienceSeconds} s. Submit the job again once the registry answers.`
  return 'Check exports.oci.coordinates: host, repository and tag.'
}
