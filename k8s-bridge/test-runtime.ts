import type { Runtime } from './runtime.ts'

/** A runtime of which a test sets what it is about; it has room for all, shows nothing, and is told everything for nothing. */
export const idleRuntime = (own: Partial<Runtime>): Runtime => ({
  triesMax: Infinity,
  leaveMs: 60_000,
  deadlineSlackMs: 60_000,
  watch: () => {},
  unwatch: () => {},
  freeSlots: () => Infinity,
  refusal: () => undefined,
  launch: async () => ({ objectUid: 'uid' }),
  observe: () => [],
  absence: () => 'unknown',
  end: () => {},
  mark: async () => {},
  lastWords: async ({ end }) => ({ events: [], outcome: end.outcome }),
  release: async () => {},
  salvage: async () => {},
  removeFiles: async () => {},
  close: async () => {},
  ...own,
})
