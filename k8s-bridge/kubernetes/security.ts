import type { V1PodSecurityContext, V1SecurityContext } from '@kubernetes/client-node'

/** Restricted Pod Security, without a fixed user: clusters that give each namespace its own choose it. */
export const RESTRICTED: V1SecurityContext = {
  allowPrivilegeEscalation: false,
  runAsNonRoot: true,
  capabilities: { drop: ['ALL'] },
  seccompProfile: { type: 'RuntimeDefault' },
}

/** For our own programs, which write to volumes only. */
export const RESTRICTED_READ_ONLY: V1SecurityContext = { ...RESTRICTED, readOnlyRootFilesystem: true }

export const RESTRICTED_POD: V1PodSecurityContext = { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } }
