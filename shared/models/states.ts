import { z } from 'zod'

export const RUN_STATES = ['pending', 'running', 'completed', 'failed', 'cancelled'] as const
/** State of one benchmark run. The last three are terminal: nothing leaves them. */
export const RunState = z.enum(RUN_STATES)
export type RunState = z.infer<typeof RunState>

export const EVALUATION_STATES = [...RUN_STATES, 'partially_failed'] as const
/** State of an evaluation job, derived from its runs (see `domain/evaluation-state.ts`). */
export const EvaluationState = z.enum(EVALUATION_STATES)
export type EvaluationState = z.infer<typeof EvaluationState>

export const PHASES = [
  'initializing',
  'loading_data',
  'running_evaluation',
  'post_processing',
  'persisting_artifacts',
  'completed',
] as const
/** What an adapter is doing, in the order in which a run passes through. A run never goes back to an earlier phase. */
export const Phase = z.enum(PHASES)
export type Phase = z.infer<typeof Phase>

const TERMINAL: ReadonlySet<string> = new Set<EvaluationState>(['completed', 'failed', 'cancelled', 'partially_failed'])

/** True for a state, of a run or of a job, that nothing leaves. */
export const isTerminal = (state: RunState | EvaluationState): boolean => TERMINAL.has(state)
