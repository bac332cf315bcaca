import type { TestProject } from 'vitest/node'
import { findBinaries, startControlPlane } from './control-plane.ts'

/**
 * One cluster for all files: that of `KUBECONFIG`, else a control plane of our own; and for those that play its controllers always the latter.
 * Where there is neither, the tests that need one are skipped.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const given = process.env.KUBECONFIG
  const binaries = findBinaries()
  const own = binaries === undefined ? undefined : await startControlPlane(binaries)
  project.provide('bareCluster', own && { kubeconfig: own.kubeconfig })
  project.provide('cluster', given ? { kubeconfig: given } : own && { kubeconfig: own.kubeconfig })
  return async () => own?.stop()
}
