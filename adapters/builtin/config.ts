import { z } from 'zod'
import type { DataPlaces } from './dataset.ts'

const Environment = z.object({
  /** Where a job's test data are mounted. */
  EVALHUB_TEST_DATA_DIR: z.string().min(1).default('/test_data'),
})

/** Where this process finds data sets. */
export const readDataPlaces = (): DataPlaces => ({
  testDataDir: Environment.parse(process.env).EVALHUB_TEST_DATA_DIR,
  cwd: process.cwd(),
})
