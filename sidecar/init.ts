import { writeFile } from 'node:fs/promises'
import { visibleLine } from '#shared/domain/visible-text.ts'
import { fetchTestData } from './init/fetch-test-data.ts'
import { readInitConfig } from './init/config.ts'
import { reasonOf } from './init/init-error.ts'

/** The init container: fetches the data of a benchmark before its adapter starts. Exits with 0, or with 1 and one line that says why. */
async function main(): Promise<void> {
  // As the container's first process it has no default for this.
  process.once('SIGTERM', () => process.exit(143))
  let terminationLog: string | undefined
  try {
    const config = readInitConfig()
    terminationLog = config.terminationLog
    console.log(visibleLine(await fetchTestData(config)))
    process.exit(0)
  } catch (error) {
    // Servers are quoted in it.
    const line = visibleLine(`test data: ${reasonOf(error)}`)
    console.error(line)
    // Kubernetes shows it with the pod; elsewhere there may be no such file.
    if (terminationLog !== undefined) await writeFile(terminationLog, line).catch(() => undefined)
    process.exit(1)
  }
}

await main()
