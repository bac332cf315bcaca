import type { RunSpec } from '#shared/domain/run-spec.ts'
import { parseHttpUrl } from '#shared/domain/url-problem.ts'
import type { EvaluationJobConfig } from '#shared/models/evaluation.ts'
import type { RunEnd } from '../runtime.ts'
import { blankSource } from '../test-data-source.ts'
import { findBadQuantity } from './resources.ts'
import type { KubernetesSettings } from './settings.ts'

/** Why a run can never be launched on this cluster, whatever happens there; undefined if it can. */
export function refusalOf(spec: RunSpec, settings: KubernetesSettings): RunEnd | undefined {
  const { runtime, hardware_config: hardware, test_data_ref: data, provider_id: provider } = spec
  if (!runtime.k8s?.Image.trim()) {
    return missing(`Provider ${provider} cannot run on Kubernetes: it has no image. Set runtime.k8s.image in the provider.`)
  }
  const bad = findBadQuantity({ spec })
  if (bad)
    return rejected(
      `${bad.field} is no Kubernetes quantity: '${bad.value}'. Write cores as 500m or 2, and memory and storage as 512Mi or 4Gi.`,
    )
  if ((hardware?.gpu?.count ?? 0) < 0)
    return rejected('hardware_config.gpu.count is negative. Leave it out for the number that the provider asks for.')
  const blank = blankSource(data)
  if (blank) return missing(blank)
  const profile = hardware?.hardware_profile_name
  if (profile && !settings.hardwareProfilesNamespace) {
    return missing(
      `The hardware profile '${profile}' cannot be read: this hub does not know the namespace of hardware profiles. ` +
        `The administrator sets EVALHUB_HARDWARE_PROFILES_NAMESPACE; without it, name cpu, memory and gpu in hardware_config.`,
    )
  }
  return undefined
}

/** Why no sidecar can reach the model of a request; undefined if one may. */
export function modelRefusal({ model }: EvaluationJobConfig): RunEnd | undefined {
  if (model.url === '' || parseHttpUrl(model.url)) return undefined
  return rejected('model.url is no http or https URL with a host, so no adapter can reach the model on Kubernetes.')
}

const missing = (message: string): RunEnd => ({ failureClass: 'missing_config', message })
const rejected = (message: string): RunEnd => ({ failureClass: 'rejected', message })
