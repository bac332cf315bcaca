import { parseArgs } from 'node:util'
import { findBinaries } from './control-plane.ts'
import { FAULTS, suffer } from './faults/faults.ts'
import { startWorld } from './faults/world.ts'

/**
 * `npm run soak`: every fault in full, on a control plane and with processes of its own. Ends with 1 if any history is wrong.
 *
 * `--jobs 200 --points 50` is the dose, `--only words` chooses faults by their names.
 */
const { values } = parseArgs({
  options: { jobs: { type: 'string', default: '200' }, points: { type: 'string', default: '50' }, only: { type: 'string', default: '' } },
})
const binaries = findBinaries()
if (binaries === undefined) throw new Error('There is no etcd and kube-apiserver: set KUBEBUILDER_ASSETS to their directory')
const dose = { jobs: Number(values.jobs), points: Number(values.points) }

const world = await startWorld(binaries)
let failures = 0
try {
  for (const fault of FAULTS.filter(({ name }) => name.includes(values.only))) {
    const startedAtMs = performance.now()
    const wrong = await suffer(world, fault, dose, 300_000)
    const seconds = Math.round((performance.now() - startedAtMs) / 1000)
    console.log(`${wrong.length === 0 ? 'holds' : 'FAILS'}  ${fault.name}: ${dose.jobs} jobs, ${dose.points} points, ${seconds} s`)
    for (const sentence of wrong.slice(0, 20)) console.log(`       ${sentence}`)
    if (wrong.length > 0) {
      failures += 1
      break
    }
  }
} finally {
  await world.stop()
}
process.exit(failures === 0 ? 0 : 1)
