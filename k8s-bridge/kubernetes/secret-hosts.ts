import { readCredentialKey } from '#shared/domain/credential-key.ts'
import type { Attempt } from './attempt.ts'
import { modelOf } from './attempt.ts'
import { entryFor, isListed, parseHostList, placeOf, textOf, type Entry } from './host-list.ts'
import type { KubernetesSettings } from './settings.ts'

/** Annotation of a Secret that lists the hosts to which what is in it may be sent. */
export const HOSTS_ANNOTATION = 'evalhub/hosts'

/** Where a run would send something of a Secret. */
export type Destination = {
  /** What says so, in words of the request. */
  what: string
  url: string
  /** Whoever submits a job, or makes a provider, says so; false: the operator does. */
  isChosen: boolean
}

const HUGGING_FACE = 'https://huggingface.co'

/** Addresses that a Secret itself has (`<service>_url`, `AWS_S3_ENDPOINT`, the registries of a Docker configuration) are its keeper's word, and not among them. */
export const destinationsOf = {
  /** `data` in base64, of the model's Secret. */
  model(attempt: Attempt, settings: KubernetesSettings, data: Readonly<Record<string, string>>): Destination[] {
    const model = modelOf(attempt)
    if (!model) return []
    const hasText = (key = '') =>
      Buffer.from(data[key] ?? '', 'base64')
        .toString()
        .trim() !== ''
    const credentials = Object.keys(data).flatMap((key) => readCredentialKey(key) ?? [])
    const goesToModel = credentials.some(({ urlKey }) => !hasText(urlKey))
    const { runtime, from_catalogue: isOperators } = attempt.spec
    const goesToAdapter = runtime.k8s?.needs_hf_token === true && data['hf-token'] !== undefined
    return [
      ...(goesToModel ? [{ what: 'model.url', url: model.url, isChosen: true }] : []),
      ...(goesToAdapter ? [{ what: 'needs_hf_token', url: hubOf(settings), isChosen: !isOperators }] : []),
    ]
  },
  /** Undefined: the run brings no test data with a Secret that a URL could lead astray. */
  testData({ spec }: Attempt, settings: KubernetesSettings): { secret: string; destinations: Destination[] } | undefined {
    const { git, hf } = spec.test_data_ref ?? {}
    if (git?.secret_ref) return { secret: git.secret_ref, destinations: [{ what: 'test_data_ref.git.url', url: git.url, isChosen: true }] }
    if (hf?.secret_ref)
      return { secret: hf.secret_ref, destinations: [{ what: 'test_data_ref.hf', url: hubOf(settings), isChosen: false }] }
    return undefined
  },
}

const hubOf = ({ huggingFaceEndpoint }: KubernetesSettings) => huggingFaceEndpoint ?? HUGGING_FACE

type Sending = {
  secret: string
  namespace: string
  /** The annotation; undefined: the Secret has none. */
  hosts: string | undefined
  destinations: readonly Destination[]
}

/** Why a run may not send what it would, or may and should not; undefined: it may. In words for its user, of one line, free of secrets. */
export type HostsVerdict = { refusal: string } | { warning: string } | undefined

/**
 * Judges where a run would send something of a Secret by the list of hosts that the Secret has. What is on a list may go there and nowhere else;
 * a list that cannot be read lets nothing through. Without one, `require` refuses what the request or a tenant's provider sends.
 */
export function judgeHosts(sending: Sending, mode: 'warn' | 'require'): HostsVerdict {
  const { hosts, destinations } = sending
  if (destinations.length === 0) return undefined
  if (hosts === undefined) return withoutList(sending, mode)
  const list = parseHostList(hosts)
  if ('bad' in list) return { refusal: unreadable(sending, list.bad) }
  const astray = destinations.filter(({ url }) => !isListed(placeOf(url), list.entries))
  if (astray.length === 0) return undefined
  // The list may have the host with another port.
  const where = astray.map(({ what, url }) => `to ${placeOf(url).host}:${placeOf(url).port}, where ${what} would send it`).join(', nor ')
  const has = `its annotation ${HOSTS_ANNOTATION} has ${shown(hosts)}`
  return { refusal: `${nameOf(sending)} may not go ${where}: ${has}. ${advice(sending, astray, list.entries)}` }
}

function withoutList(sending: Sending, mode: 'warn' | 'require'): HostsVerdict {
  const { destinations } = sending
  const chosen = destinations.filter(({ isChosen }) => isChosen)
  if (chosen.length === 0) return undefined
  const silent = `${nameOf(sending)} does not say to which hosts it may go`
  const placed = ({ url }: Destination) => entryFor(placeOf(url)) ?? placeOf(url).host
  if (mode === 'require') {
    const where = chosen.map((one) => `${one.what} would send it to ${placed(one)}`).join(', ')
    return { refusal: `${silent}, and this EvalHub sends none that does not. ${where}. ${advice(sending, destinations)}` }
  }
  const where = chosen.map((one) => `${one.what} to ${placed(one)}`).join(', ')
  return {
    warning: `${silent}, so whoever names it can have it sent anywhere: here ${where}. To bind it: ${command(sending, destinations)}`,
  }
}

const nameOf = ({ secret, namespace }: Sending) => `The Secret ${secret} in namespace ${namespace}`

function unreadable({ secret, namespace }: Sending, bad: string): string {
  const what = bad === '' ? 'names no host' : `cannot be read: '${shown(bad)}' is no host`
  return (
    `The annotation ${HOSTS_ANNOTATION} of the Secret ${secret} in namespace ${namespace} ${what}. ` +
    'Write hosts separated by commas or spaces, such as model.example, model.example:8443 or *.example.com; without scheme and path.'
  )
}

const advice = (sending: Sending, destinations: readonly Destination[], before: readonly Entry[] = []) =>
  `If it may go there, whoever keeps it says so: ${command(sending, destinations, before)}`

/** Entries of a list that a command repeats: a longer one has to be looked up. */
const repeatedMax = 20

/** To be copied into a shell, so nothing is in it that means something there: hosts are anybody's to choose. */
function command({ secret, namespace }: Sending, destinations: readonly Destination[], before: readonly Entry[] = []): string {
  const there = before.length > repeatedMax ? ['LIST'] : before.map(textOf)
  const added = destinations.map(({ url }) => entryFor(placeOf(url), before.length > 0) ?? 'HOST')
  const overwrite = before.length > 0 ? ' --overwrite' : ''
  return `kubectl -n ${namespace} annotate${overwrite} secret ${secret} ${HOSTS_ANNOTATION}='${[...new Set([...there, ...added])].join(',')}'`
}

const shownMax = 100

/** Text of others in a sentence. */
function shown(text: string): string {
  const plain = text.trim().replaceAll(/\p{C}/gu, '\ufffd').replaceAll(/\s+/g, ' ')
  return plain.length > shownMax ? `${plain.slice(0, shownMax)}…` : plain
}
