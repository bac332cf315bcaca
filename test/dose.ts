/** How much of what costs minutes is tried: a little in every run, all of it with `TEST_DOSE=full` (`npm run test:full`). */
export const dose = (little: number, full: number): number => (process.env.TEST_DOSE === 'full' ? full : little)
