import { faultOf, type FailureClass } from './failure-class.ts'

/** Whether a run gets another attempt after one that failed. */
export type RetryDecision =
  /** Launch it again, no earlier than in `afterSeconds`. */
  | { again: true; afterSeconds: number }
  /** The run has failed. `note` is to be added to the attempt's sentence; absent if there was nothing to try. */
  | { again: false; note?: string }

/** Further attempts after the cluster or the hub failed, whichever way; a cluster that fails as often is broken. */
const infrastructureRetriesMax = 5
/** A hub on somebody's laptop may be restarted more often than a cluster fails. */
const restartRetriesMax = 20
/** Further attempts after memory ran out, each with more memory. */
const oomRetriesMax = 2

const firstDelaySeconds = 10
const delaySecondsMax = 300

/**
 * Infrastructure failures are retried for free, within a bound; memory that ran out is, with more memory (how much is not decided here);
 * everything else would fail again.
 *
 * `failures`: the class of every attempt of the run that has failed so far, in order; the one to decide about is the last.
 */
export function retryAfter(failures: readonly FailureClass[]): RetryDecision {
  const last = failures.at(-1)
  if (last === undefined) return { again: true, afterSeconds: 0 }
  const { group, max } = ruleOf(last)
  if (max === 0) return { again: false }
  const alike = failures.filter((failure) => ruleOf(failure).group === group).length
  if (alike > max) return { again: false, note: `It was tried ${failures.length} times in all.` }
  return { again: true, afterSeconds: group === 'infrastructure' ? Math.min(firstDelaySeconds * 2 ** (alike - 1), delaySecondsMax) : 0 }
}

type Rule = { group: 'oom' | 'restart' | 'infrastructure' | 'final'; max: number }

function ruleOf(failure: FailureClass): Rule {
  if (failure === 'oom') return { group: 'oom', max: oomRetriesMax }
  if (failure === 'hub_restarted') return { group: 'restart', max: restartRetriesMax }
  if (faultOf(failure) === 'infrastructure') return { group: 'infrastructure', max: infrastructureRetriesMax }
  return { group: 'final', max: 0 }
}
