import { z } from 'zod'

/** State of one benchmark run. The last three are terminal: nothing leaves them. */
export const RunState = z.enum(['pending', 'running', 'completed', 'failed', 'cancelled'])
export type RunState = z.infer<typeof RunState>

/** State of an evaluation job, derived from its runs (see `domain/evaluation-state.ts`). */
export const EvaluationState = z.enum(['pending', 'running', 'completed', 'failed', 'cancelled', 'partially_failed'])
export type EvaluationState = z.infer<typeof EvaluationState>

/** What an adapter is doing, in the order in which a run passes through. A run never goes back to an earlier phase. */
export const Phase = z.enum(['initializing', 'loading_data', 'running_evaluation', 'post_processing', 'persisting_artifacts', 'completed'])
export type Phase = z.infer<typeof Phase>

const TERMINAL: ReadonlySet<string> = new Set<EvaluationState>(['completed', 'failed', 'cancelled', 'partially_failed'])

/** True for a state, of a run or of a job, that nothing leaves. */
export const isTerminal = (state: RunState | EvaluationState): boolean => TERMINAL.has(state)
