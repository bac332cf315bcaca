import { z } from 'zod'
import { NOT_BLANK } from '../decode.ts'
import { URL_MAX, urlProblem } from '../domain/url-problem.ts'

/**
 * Field rules that several wire models share. Each refusal carries the contract's rule name (`tag`),
 * which `decode` puts into the answer.
 */

const rule = (tag: string, error = 'Invalid input') => ({ error, params: { tag } })

/** Bytes of a name at most. With the longest tenant, an index of the database holds it: 2,704 bytes a row. */
const NAME_BYTES = 1024

/** A name that things are found by, of at most 1024 bytes in UTF-8: as many characters in ASCII, a third of it in Chinese. */
export const Name = z
  .string()
  .min(1)
  .refine((name) => new TextEncoder().encode(name).length <= NAME_BYTES, {
    params: { text: `name must have at most ${NAME_BYTES} bytes in UTF-8` },
  })
  .meta({ minLength: 1, maxLength: NAME_BYTES })

/** A Kubernetes object name of one label. */
export const RFC1123_LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/

/** A Kubernetes object name of one label: lower-case letters, digits and `-`, at most 63 characters. */
export const DnsLabel = z
  .string()
  .refine((value) => value === '' || RFC1123_LABEL.test(value), rule('rfc1123_dns_label'))
  .meta({ pattern: `^$|${RFC1123_LABEL.source}` })

/** As `DnsLabel`, and not empty. */
export const RequiredDnsLabel = z
  .string()
  .min(1)
  .refine((value) => RFC1123_LABEL.test(value), rule('rfc1123_dns_label'))
  .meta({ pattern: RFC1123_LABEL.source })

/** Text of something else than white space. */
export const NotBlank = z
  .string({ error: ({ input }) => (input === undefined ? NOT_BLANK : undefined) })
  .refine((text) => text.trim() !== '', rule(NOT_BLANK))
  .meta({ pattern: '\\S' })

/** Items of a list that people write: tags, words, hints. */
export const WORDS_MAX = 100

/** Benchmarks of a job or of a collection, and what a job adds to those of its collection. */
export const BENCHMARKS_MAX = 1000

/** Members of parameters, which a run has a copy of. */
export const PARAMETERS_MAX = 1000

/** 1 to 128 characters, without `,` and `|`, which separate the values of a list filter. */
export const Tag = z
  .string()
  .refine(
    // A character has two units at most.
    (tag) => tag.length > 0 && tag.length <= 256 && [...tag].length <= 128 && !/[,|]/.test(tag),
    rule('tagname', 'must have 1 to 128 characters, and neither , nor |'),
  )
  .meta({ minLength: 1, maxLength: 128, pattern: '^[^,|]*$' })

export const Tags = z.array(Tag).max(WORDS_MAX)

/** Free text of 1 to 1024 characters; the empty string means none. */
export const Description = z.string().max(1024)

/** A URL that is kept and shown, of at most 8,192 characters. `field`: its name in a refusal; `instead`: where a secret belongs that was found in it. */
export const keptUrl = (field: string, instead = '') =>
  z
    .string()
    .max(URL_MAX, { abort: true })
    .superRefine((url, context) => {
      const problem = urlProblem(url, instead)
      if (problem !== undefined) context.addIssue({ code: 'custom', params: { tag: 'url', text: `${field} ${problem}` } })
    })

/** An object that EvalHub stores and passes on without reading it. */
export const Opaque = z.record(z.string(), z.unknown())

/** What a framework is told, which is passed on unread. */
export const Parameters = Opaque.refine((parameters) => Object.keys(parameters).length <= PARAMETERS_MAX, {
  params: { tag: 'max', maximum: PARAMETERS_MAX },
}).meta({ maxProperties: PARAMETERS_MAX })

const FLOAT32_MAX = 3.4028235e38

/** The nearest 32-bit float, as the shortest decimal that names it: 0.85, not 0.8500000238418579. Beyond the range it is the range's end. */
export function float32(value: number): number {
  const single = Math.fround(Math.max(-FLOAT32_MAX, Math.min(FLOAT32_MAX, value)))
  for (let digits = 6; digits <= 9; digits++) {
    const short = Number(single.toPrecision(digits))
    if (Math.fround(short) === single) return short
  }
  return single
}

/** A number that the wire keeps with 32 bits. */
export const Float32 = z.number().min(-FLOAT32_MAX).max(FLOAT32_MAX).overwrite(float32)

/** RFC 3339 with seconds, an offset or `Z`; kept as it was sent. */
export const Timestamp = z.iso.datetime({ offset: true, local: false })

/** Characters of a metric's name: each event of a job looks at those of all its runs. */
const METRIC_NAME_MAX = 1024

/** The metric that judges a benchmark. */
export const PrimaryScore = z.object({
  /** Name as the framework reports it: `acc_norm`, `exact_match`. */
  metric: z.string().min(1).max(METRIC_NAME_MAX),
  /** True where a smaller value is better (perplexity, latency). Absent means false. */
  lower_is_better: z.boolean().optional(),
})
export type PrimaryScore = z.infer<typeof PrimaryScore>

/** The bound that the primary metric, or a job's score, must reach. Zero is a bound like any other. */
export const PassCriteria = z.object({ threshold: Float32 })
export type PassCriteria = z.infer<typeof PassCriteria>
