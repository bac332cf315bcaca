import { z } from 'zod'
import { isAddressRange } from '../domain/address.ts'
import { LOG_LEVELS } from '../log.ts'

/** Values of settings: text, as the environment and files have it. No message repeats what was given. */

/** A TCP port; 0 takes any free one. */
export const Port = z.coerce
  .number('must be a number')
  .int('must be a whole number')
  .min(0, 'must be 0 or more')
  .max(65_535, 'must be at most 65535')

/** A whole number of 1 or more. */
export const Count = z.coerce.number('must be a number').int('must be a whole number').min(1, 'must be 1 or more')

/** Days; 0 means for ever. */
export const Days = z.coerce.number('must be a number').int('must be a whole number').min(0, 'must be 0 or more').max(36_500, 'is too long')

/** A number of something; -1 means without a bound. */
export const Limit = z.coerce
  .number('must be a number')
  .int('must be a whole number')
  .refine((number) => number === -1 || number > 0, 'must be 1 or more, or -1 for no bound')
  .transform((number) => (number === -1 ? Infinity : number))

export const Flag = z.stringbool({ truthy: ['true', '1'], falsy: ['false', '0'], error: 'must be true or false' })

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/** `15s`, `5m`, `1m30s`, `500ms`, as the published server writes it; milliseconds then. */
export const Duration = z
  .string()
  .regex(/^(\d+(\.\d+)?(ms|s|m|h))+$/, 'must be a duration such as 15s, 5m or 500ms')
  .transform((text) =>
    [...text.matchAll(/([\d.]+)(ms|s|m|h)/g)].reduce((sum, [, number, unit]) => sum + Number(number) * (UNIT_MS[unit ?? ''] ?? 0), 0),
  )
  .refine((ms) => ms >= 1 && ms <= 2 ** 31 - 1, 'must be between 1ms and 24 days')

export const HttpUrl = z.url({ protocol: /^https?$/, error: 'must be an http or https URL' })

/** Where PostgreSQL is. */
export const DatabaseUrl = z
  .string('is required: postgres://user:password@host:5432/name')
  .refine(
    (text) => /^postgres(ql)?:\/\//.test(text) && URL.canParse(text),
    'must be a URL of PostgreSQL: postgres://user:password@host:5432/name',
  )

/** Names separated by commas; empty without. */
export const Names = z.string().transform((text) =>
  text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== ''),
)

/** URLs separated by commas. */
export const HttpUrls = Names.superRefine((urls, context) => {
  const wrong = urls.findIndex((url) => !HttpUrl.safeParse(url).success)
  if (wrong === -1) return
  context.addIssue({ code: 'custom', message: `must be http or https URLs, separated by commas; number ${wrong + 1} is none` })
})

/** Networks in CIDR notation, separated by commas. */
export const AddressRanges = Names.superRefine((ranges, context) => {
  const wrong = ranges.findIndex((range) => !isAddressRange(range))
  if (wrong === -1) return
  const what = 'must be address ranges such as 10.0.0.0/8 or fd00::/8, separated by commas'
  context.addIssue({ code: 'custom', message: `${what}; number ${wrong + 1} is none (one address ends with /32 or /128)` })
})

/** Key that run tokens are made and checked with. */
export const RunTokenKey = z
  .string('is required: 32 random characters or more, the same for functions and bridge')
  .min(32, 'must have 32 characters or more')

/** Settings of every process: where its metrics are, and what it logs. */
export const processSettings = {
  METRICS_ENABLED: Flag.default(true).meta({ path: 'prometheus.enabled', description: 'whether `/metrics` is served' }),
  METRICS_HOST: z
    .string()
    .default('0.0.0.0')
    .meta({ path: 'prometheus.host', description: 'address of probes (`/healthz`, `/readyz`) and of `/metrics`' }),
  METRICS_PORT: Port.default(8081).meta({ path: 'prometheus.port', description: 'port of probes and of `/metrics`; 0 takes any free one' }),
  LOG_LEVEL: z
    .enum(LOG_LEVELS, 'must be debug, info, warn or error')
    .default('info')
    .meta({ path: 'log.level', description: 'least level that is logged; `debug` adds health checks' }),
}
