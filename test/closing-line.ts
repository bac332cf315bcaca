import type { Reporter, TestModule } from 'vitest/node'

/** Says why a test was skipped, and ends a run with one plain line, `N passed, N failed`, that any CI can read. Files that could not be loaded count as failed. */
const closingLine: Reporter = {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]) {
    const count = { passed: 0, failed: errors.length, skipped: 0 }
    const skipped = new Map<string, string[]>()
    for (const module of modules) {
      count.failed += module.errors().length
      for (const test of module.children.allTests()) {
        const result = test.result()
        count[result.state === 'pending' ? 'skipped' : result.state]++
        if (result.state === 'skipped' && result.note !== undefined) {
          skipped.set(result.note, [...(skipped.get(result.note) ?? []), test.fullName])
        }
      }
    }
    for (const [reason, names] of skipped) {
      process.stdout.write(`\nskipped: ${names.length === 1 ? names[0] : `${names.length} tests`}: ${reason}`)
    }
    const rest = count.skipped > 0 ? `, ${count.skipped} skipped` : ''
    process.stdout.write(`\n${count.passed} passed, ${count.failed} failed${rest}\n`)
  },
}
export default closingLine
