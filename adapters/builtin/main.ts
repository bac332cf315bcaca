import { readAdapterSettings } from '#sdk/config.ts'
import { runAdapter } from '#sdk/run-adapter.ts'
import { createBuiltinAdapter } from './adapter.ts'
import { readDataPlaces } from './config.ts'

const settings = readAdapterSettings()
process.exit(await runAdapter(createBuiltinAdapter(readDataPlaces(settings.allowedPaths)), settings))
