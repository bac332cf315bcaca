import { jobSpecFor } from '#shared/domain/job-spec.ts'
import type { AllowedPaths } from '#shared/domain/allowed-paths.ts'
import type { RunSpec } from '#shared/domain/run-spec.ts'
import type { Claim } from '#db/commands/claim-launches.ts'
import type { RunEnd } from '../runtime.ts'
import { testDataFolder, testDataRefusal } from './test-data.ts'

/** Why a run has no command that may run here; undefined if it has. */
export function refusalOf(spec: RunSpec, allowProviderCommands: boolean): RunEnd | undefined {
  const { provider_id: provider, runtime, from_catalogue: isShipped } = spec
  if (!runtime.local?.command.trim()) {
    return {
      failureClass: 'local_runtime_not_enabled',
      message:
        `Local runtime is not enabled for provider '${provider}'. Please configure a local runtime command for this provider and try again. ` +
        `It is runtime.local.command, the command line of an adapter: add it to a copy of the provider's file in a directory of yours ` +
        `(--catalogue DIR), use the provider builtin, or run the job on a cluster.`,
    }
  }
  if (isShipped || allowProviderCommands) return testDataRefusal(spec)
  return {
    failureClass: 'local_runtime_not_enabled',
    message:
      `The command of provider ${provider} is not run, because the provider was created over the API. ` +
      `Put it into a catalogue directory (--catalogue), or start the hub with --allow-provider-commands.`,
  }
}

/** What a run asks for that no process of one machine gets, in words for its user; undefined if nothing. */
export function unusedHere({ spec, request }: Pick<Claim, 'spec' | 'request'>): string | undefined {
  const unused = [...(spec.hardware_config ? ['hardware_config'] : []), ...(request.queue ? ['queue'] : [])]
  if (unused.length === 0) return undefined
  return `Not used on one machine, where a run is a process and takes what the machine has: ${unused.join(', ')}.`
}

/** The adapter's job.json. */
export function jobSpecText(claim: Claim, callbackUrl: string): string {
  const { evaluationId, benchmarkIndex, request, spec } = claim
  return JSON.stringify(jobSpecFor({ evaluationId, benchmarkIndex, request, spec, callbackUrl }), null, 2)
}

type Surroundings = {
  /** The hub's own environment. */
  inherited: Readonly<Record<string, string | undefined>>
  /** Names that the hub's configuration reads: they may hold its secrets. */
  hiddenVariables: readonly string[]
  jobSpecPath: string
  /** Where EvalHub is installed. */
  home: string
  /** The Node program that runs the hub. */
  node: string
  /** Where jobs may name files. */
  allowed: AllowedPaths
  spec: RunSpec
}

/** What an adapter finds in its environment. The provider's own entries win. */
export function environmentOf({
  inherited,
  hiddenVariables,
  jobSpecPath,
  home,
  node,
  allowed,
  spec,
}: Surroundings): Record<string, string> {
  const hidden = new Set(hiddenVariables)
  const own = Object.entries(inherited).filter((entry): entry is [string, string] => entry[1] !== undefined && !hidden.has(entry[0]))
  const data = spec.test_data_ref ? [testDataFolder(jobSpecPath)] : []
  const fromProvider = (spec.runtime.local?.env ?? []).map(({ Name, Value }) => [Name, Value] as const)
  return {
    ...Object.fromEntries(own),
    EVALHUB_JOB_SPEC_PATH: jobSpecPath,
    EVALHUB_MODE: 'local',
    EVALHUB_NODE: node,
    EVALHUB_HOME: home,
    EVALHUB_ALLOWED_PATHS: JSON.stringify({ ...allowed, open: [...allowed.open, ...data] }),
    ...(data[0] !== undefined && { EVALHUB_TEST_DATA_DIR: data[0] }),
    ...Object.fromEntries(fromProvider),
  }
}
