import type { TestProject } from 'vitest/node'
import { findBinaries, startControlPlane } from './control-plane.ts'

/** One cluster for all files: that of `KUBECONFIG`, else a control plane of our own. Without either the tests that need one are skipped. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const given = process.env.KUBECONFIG
  const binaries = findBinaries()
  if (given || binaries === undefined) {
    project.provide('cluster', given ? { kubeconfig: given } : undefined)
    return async () => {}
  }
  const { kubeconfig, stop } = await startControlPlane(binaries)
  project.provide('cluster', { kubeconfig })
  return stop
}
