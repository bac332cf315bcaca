import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { sufferKills } from './launches/suffer-kills.ts'

/**
 * `npm run stress`: jobs of three benchmarks on a local hub that is killed at random, and then everything that is wrong about their history. Ends with 1
 * if anything is.
 *
 * `--jobs 500 --kills 20` is the dose. `--seed N` gives the pauses of an earlier time again; a new one is printed unless it is given. `--times N` repeats it
 * with the next seeds.
 */
const { values } = parseArgs({
  options: {
    jobs: { type: 'string', default: '500' },
    kills: { type: 'string', default: '20' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    times: { type: 'string', default: '1' },
  },
})
const dose = { jobs: Number(values.jobs), kills: Number(values.kills), patienceMs: 3_600_000 }

let failures = 0
for (let time = 0; time < Number(values.times); time++) {
  const seed = Number(values.seed) + time
  const startedAtMs = performance.now()
  const { wrong, restarts, history } = await sufferKills({ ...dose, seed })
  const seconds = Math.round((performance.now() - startedAtMs) / 1000)
  const word = wrong.length === 0 ? 'holds' : 'FAILS'
  console.log(`${word}  seed ${seed}: ${dose.jobs} jobs, ${dose.kills} kills, ${restarts} attempts ended by them, ${seconds} s`)
  for (const sentence of wrong.slice(0, 20)) console.log(`       ${sentence}`)
  if (wrong.length === 0) continue
  failures += 1
  const file = join(tmpdir(), `evalhub-stress-${seed}.json`)
  await writeFile(file, JSON.stringify(history))
  console.log(`       The whole history is in ${file}.`)
}
process.exit(failures === 0 ? 0 : 1)
