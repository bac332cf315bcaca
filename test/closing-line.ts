import type { Reporter, TestModule } from 'vitest/node'
import { findBinaries } from './control-plane.ts'

/** Those that kill their API server have one of their own, whatever `KUBECONFIG` says. */
const kubernetes = () =>
  [process.env.KUBECONFIG && 'the cluster of KUBECONFIG', findBinaries() && 'etcd and kube-apiserver of this machine']
    .filter((one) => one)
    .join(' and on ')

/** Says on which Kubernetes tests ran, and why some were skipped, and ends a run with one plain line, `N passed, N failed`, that any CI can read. Files that could not be loaded count as failed. */
const closingLine: Reporter = {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]) {
    const count = { passed: 0, failed: errors.length, skipped: 0 }
    const onCluster = { tests: 0, files: new Set<string>() }
    const skipped = new Map<string, string[]>()
    for (const module of modules) {
      count.failed += module.errors().length
      for (const test of module.children.allTests()) {
        const result = test.result()
        if (module.project.name === 'cluster' && result.state !== 'skipped') {
          onCluster.tests += 1
          onCluster.files.add(module.relativeModuleId.replace(/^.*\/|\.cluster\.test\.ts$/g, ''))
        }
        count[result.state === 'pending' ? 'skipped' : result.state]++
        if (result.state === 'skipped' && result.note !== undefined) {
          skipped.set(result.note, [...(skipped.get(result.note) ?? []), test.fullName])
        }
      }
    }
    if (modules.some(({ project }) => project.name === 'cluster')) {
      const files = [...onCluster.files].toSorted().join(', ')
      const ran = `${onCluster.tests} tests ran on ${kubernetes()}: ${files}`
      process.stdout.write(`\nKubernetes: ${files === '' ? 'nothing ran on a real API server' : ran}`)
    }
    for (const [reason, names] of skipped) {
      process.stdout.write(`\nskipped: ${names.length === 1 ? names[0] : `${names.length} tests`}: ${reason}`)
    }
    const rest = count.skipped > 0 ? `, ${count.skipped} skipped` : ''
    process.stdout.write(`\n${count.passed} passed, ${count.failed} failed${rest}\n`)
  },
}
export default closingLine
