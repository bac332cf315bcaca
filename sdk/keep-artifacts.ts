import type { JobSpec } from '#shared/models/job-spec.ts'
import type { AdapterSettings } from './config.ts'
import type { EventReporter } from './event-reporter.ts'
import { exportArtifacts } from './export-artifacts.ts'
import type { RegisteredFile } from './oci-layer.ts'

type Keeping = {
  spec: JobSpec
  settings: AdapterSettings
  files: readonly RegisteredFile[]
  workdir: string
  reporter: Pick<EventReporter, 'phase' | 'warn'>
  signal: AbortSignal
  log: (line: string) => void
}

/**
 * What the results say of a run's files. A laptop keeps them where they are. A pod's end with it, unless the job names a registry: those that
 * are gone are not named, and a warning says so. Throws what `exportArtifacts` throws.
 */
export async function keepArtifacts(keeping: Keeping): Promise<Record<string, unknown>> {
  const { spec, settings, files, reporter, signal } = keeping
  const coordinates = spec.exports?.oci?.coordinates
  const names = files.map(({ name }) => name).join(', ')
  if (files.length === 0) return {}
  if (settings.mode === 'local') {
    if (coordinates) reporter.warn('artifacts_not_exported', `A run on one machine exports nothing: ${names} stayed in ${keeping.workdir}.`)
    return Object.fromEntries(files.map(({ name, artifact }) => [name, artifact]))
  }
  if (!coordinates) {
    const how = 'name a registry in exports.oci of the job to keep them'
    reporter.warn('artifacts_not_kept', `These artifacts ended with the pod: ${names}; ${how}.`)
    return {}
  }
  signal.throwIfAborted() // There are seconds left, and the end of the run is to be reported in them.
  reporter.phase('persisting_artifacts')
  return exportArtifacts({ ...keeping, coordinates, patienceSeconds: settings.exportSeconds })
}
