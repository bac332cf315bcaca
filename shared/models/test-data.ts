import { z } from 'zod'
import { kindOfAddress } from '../domain/address.ts'
import { holdsUser, parseHttpUrl, URL_MAX } from '../domain/url-problem.ts'
import { DnsLabel, NotBlank, RequiredDnsLabel } from './fields.ts'

const BLOCKED_HOSTS = new Set(['localhost', 'localhost.localdomain', 'metadata', 'metadata.google.internal'])
const BLOCKED_SUFFIXES = ['.cluster.local', '.svc', '.local']

/** True if a git repository may be cloned from there: http(s) and a host that is not obviously inside. No name is resolved here. */
export function isAllowedGitUrl(text: string): boolean {
  const { hostname } = parseHttpUrl(text) ?? {}
  if (hostname === undefined) return false
  const host = hostname.toLowerCase().replace(/\.$/, '')
  if (host === '' || BLOCKED_HOSTS.has(host) || BLOCKED_SUFFIXES.some((suffix) => host.endsWith(suffix))) return false
  return (kindOfAddress(host.replace(/^\[|\]$/g, '')) ?? 'public') === 'public'
}

const S3 = z.object({ bucket: z.string().min(1), key: z.string().min(1), secret_ref: z.string().min(1) })

const Pvc = z.object({ claim_name: RequiredDnsLabel, sub_path: z.string().optional() })

const Git = z
  .object({
    url: z
      .string()
      .min(1, { abort: true })
      .max(URL_MAX, { abort: true })
      .refine((url) => parseHttpUrl(url) !== undefined, { params: { tag: 'http_url' }, abort: true })
      .refine((url) => !holdsUser(url), {
        params: { text: 'git url must hold no user name and no password, since it is kept and shown; name a Secret in secret_ref' },
      })
      .refine(isAllowedGitUrl, { params: { tag: 'git_clone_url' } })
      .meta({ pattern: '^https?://' }),
    /** Branch, tag or commit. */
    ref: z.string().min(1),
    sub_path: z.string().optional(),
    /** Secret with `username` and `password`; allowed with https only. */
    secret_ref: DnsLabel.optional(),
  })
  .refine((git) => !git.secret_ref || !git.url.toLowerCase().startsWith('http:'), {
    params: { text: 'git url with credentials must use https scheme' },
  })

const HuggingFace = z.object({
  repo_id: NotBlank,
  revision: z.string().optional(),
  sub_path: z.string().optional(),
  secret_ref: z.string().optional(),
})

const SOURCES = ['s3', 'pvc', 'git', 'hf'] as const

/** Where the data set of a benchmark comes from: exactly one of the four sources. Mounted at `/test_data`. */
export const TestDataRef = z
  .object({
    s3: S3.optional(),
    pvc: Pvc.optional(),
    git: Git.optional(),
    hf: HuggingFace.optional(),
    /** `pre_recorded_data` needs no model. Absent means `data_set`. */
    type: z.enum(['data_set', 'pre_recorded_data']).optional(),
    /** Commit that was used; written by the hub, refused in a request. */
    resolved_sha: z.string().optional(),
  })
  .superRefine((ref, context) => {
    const count = SOURCES.filter((source) => ref[source] !== undefined).length
    if (count === 1) return
    const text = count === 0 ? 'one of s3, pvc, git, or hf must be set' : 'exactly one of s3, pvc, git, or hf must be set'
    context.addIssue({ code: 'custom', params: { text: `test_data_ref: ${text}` } })
  })
  .meta({ oneOf: SOURCES.map((source) => ({ required: [source] })) })
export type TestDataRef = z.infer<typeof TestDataRef>
