import type { MetricStatistics } from '#shared/models/benchmark-run.ts'

/** 97.5 % point of the normal distribution: half of a two-sided 95 % interval. */
const Z = 1.959963984540054

/** 97.5 % points of Student's t for 1 to 10 degrees of freedom, where the expansion below is not exact enough. */
const T_SMALL = [12.706205, 4.302653, 3.182446, 2.776445, 2.570582, 2.446912, 2.364624, 2.306004, 2.262157, 2.228139]

/** 97.5 % point of Student's t. Exact to 1e-4; above 10 degrees of freedom by the expansion of Cornish and Fisher. */
export function tQuantile(degrees: number): number {
  const small = T_SMALL[degrees - 1]
  if (small !== undefined) return small
  const [z3, z5, z7] = [Z ** 3, Z ** 5, Z ** 7]
  return (
    Z +
    (z3 + Z) / (4 * degrees) +
    (5 * z5 + 16 * z3 + 3 * Z) / (96 * degrees ** 2) +
    (3 * z7 + 19 * z5 + 17 * z3 - 15 * Z) / (384 * degrees ** 3)
  )
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)

/** NaN for no values. */
export const mean = (values: readonly number[]) => sum(values) / values.length

/** Standard error of the mean, from the sample's deviation (n - 1). Undefined for fewer than two values. */
export function standardError(values: readonly number[]): number | undefined {
  if (values.length < 2) return undefined
  const centre = mean(values)
  const variance = sum(values.map((value) => (value - centre) ** 2)) / (values.length - 1)
  return Math.sqrt(variance / values.length)
}

type Interval = [number, number]

/** Wilson's score interval: right also for few items and for shares of 0 and 1, where the normal one has no width. */
export function wilsonInterval(successes: number, n: number): Interval {
  const share = successes / n
  const scale = 1 + Z ** 2 / n
  const centre = (share + Z ** 2 / (2 * n)) / scale
  const half = (Z / scale) * Math.sqrt((share * (1 - share)) / n + Z ** 2 / (4 * n ** 2))
  // At the ends the exact bound is 0 or 1, and rounding must not move it.
  return [successes === 0 ? 0 : centre - half, successes === n ? 1 : centre + half]
}

/** Student's t interval of the mean. Undefined for fewer than two values. */
export function tInterval(values: readonly number[]): Interval | undefined {
  const stderr = standardError(values)
  if (stderr === undefined) return undefined
  const half = tQuantile(values.length - 1) * stderr
  return [mean(values) - half, mean(values) + half]
}

/** Linear interpolation between the closest ranks (as numpy's default). `share` is 0 to 1; NaN for no values. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((left, right) => left - right)
  const rank = (sorted.length - 1) * share
  const [low, high] = [sorted[Math.floor(rank)] ?? NaN, sorted[Math.ceil(rank)] ?? NaN]
  return low + (high - low) * (rank - Math.floor(rank))
}

type Counts = { planned: number; failed: number }

const clip = ([low, high]: Interval): Interval => [Math.max(0, low), Math.min(1, high)]

/** An interval for scores from 0 to 1: Wilson's if all are 0 or 1, else Student's within 0 and 1. */
function scoreInterval(scores: readonly number[]): Interval | undefined {
  if (scores.length === 0) return undefined
  if (scores.every((score) => score === 0 || score === 1)) return wilsonInterval(sum(scores), scores.length)
  const interval = tInterval(scores)
  return interval && clip(interval)
}

/**
 * How sure a mean of scores (0 to 1) is. The failed items are in no mean; `bounds` says what the
 * mean over all items would be if they were all wrong, and all right.
 */
export function scoreStatistics(scores: readonly number[], { planned, failed }: Counts): MetricStatistics {
  const stderr = standardError(scores)
  const ci95 = scoreInterval(scores)
  const total = scores.length + failed
  const bounds: Interval | undefined = total === 0 ? undefined : [sum(scores) / total, (sum(scores) + failed) / total]
  const certainty = { ...(stderr !== undefined && { stderr }), ...(ci95 && { ci95 }), ...(bounds && { bounds }) }
  return { n: scores.length, planned, scored: scores.length, failed, ...certainty }
}

/** How sure a mean of measured values (times, counts) is. */
export function measureStatistics(values: readonly number[], { planned, failed }: Counts): MetricStatistics {
  const stderr = standardError(values)
  const ci95 = tInterval(values)
  return { n: values.length, planned, scored: values.length, failed, ...(stderr !== undefined && { stderr }), ...(ci95 && { ci95 }) }
}
