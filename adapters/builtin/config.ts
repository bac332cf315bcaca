import { realpathSync } from 'node:fs'
import { z } from 'zod'
import type { AllowedPaths } from '#shared/domain/allowed-paths.ts'
import type { DataPlaces } from './dataset.ts'
import { DATA_DIR } from './shipped.ts'

const Environment = z.object({
  /** Where a job's test data are mounted. */
  EVALHUB_TEST_DATA_DIR: z.string().min(1).default('/test_data'),
})

/** Where this process finds data sets. What is shipped or mounted may always be named. */
export function readDataPlaces(allowed: AllowedPaths | undefined, env: Record<string, string | undefined> = process.env): DataPlaces {
  const testDataDir = Environment.parse(env).EVALHUB_TEST_DATA_DIR
  const own = [testDataDir, DATA_DIR].flatMap((folder) => realFolder(folder) ?? [])
  return { testDataDir, cwd: process.cwd(), ...(allowed && { allowed: { ...allowed, open: [...allowed.open, ...own] } }) }
}

function realFolder(path: string): string | undefined {
  try {
    return realpathSync(path)
  } catch {
    return undefined // Nothing can be named in what is not there.
  }
}
