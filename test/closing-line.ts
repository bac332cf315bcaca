import type { Reporter, TestModule } from 'vitest/node'

/** Says why a test was skipped, and ends a run with one plain line, `N passed, N failed`, that any CI can read. Files that could not be loaded count as failed. */
const closingLine: Reporter = {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]) {
    const count = { passed: 0, failed: errors.length, skipped: 0 }
    const reasons = new Set<string>()
    for (const module of modules) {
      count.failed += module.errors().length
      for (const test of module.children.allTests()) {
        const result = test.result()
        count[result.state === 'pending' ? 'skipped' : result.state]++
        if (result.state === 'skipped' && result.note !== undefined) reasons.add(`${test.fullName}: ${result.note}`)
      }
    }
    for (const reason of reasons) process.stdout.write(`\nskipped: ${reason}`)
    const skipped = count.skipped > 0 ? `, ${count.skipped} skipped` : ''
    process.stdout.write(`\n${count.passed} passed, ${count.failed} failed${skipped}\n`)
  },
}
export default closingLine
