import type { Db } from './client.ts'

/**
 * Makes all statements of this transaction look up by index what they join, row for row, by plans that are made once a connection.
 *
 * For statements on few rows of a queue. Its size of just now is in no statistics, so that the planner would read the whole of it instead, and while
 * some session holds an old snapshot also all that has left it.
 */
export const lookUpByIndex = async (tx: Db): Promise<void> => {
  await tx`
    select set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true),
      set_config('plan_cache_mode', 'force_generic_plan', true)`
}
