import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import type { JobSpec } from '#shared/models/job-spec.ts'

/**
 * An adapter that writes down, in the file `$TEST_RECORD`, when a run of it begins, finds another one of itself alive, and has a result
 * acknowledged. `parameters.milliseconds` is how long it takes.
 */

const record = process.env.TEST_RECORD ?? ''
const spec = JSON.parse(readFileSync(process.env.EVALHUB_JOB_SPEC_PATH ?? '', 'utf8')) as JobSpec
const run = `${spec.id}/${spec.benchmark_index}`
const lock = `${record}.${run.replace('/', '.')}`

const write = (what: string) => appendFileSync(record, `${JSON.stringify({ run, what, pid: process.pid })}\n`)

function refuseCompany() {
  try {
    writeFileSync(lock, String(process.pid), { flag: 'wx' })
  } catch {
    try {
      // Empty if its writer was killed before it wrote; 0 would mean our own group.
      process.kill(Number(readFileSync(lock, 'utf8')) || 2 ** 30, 0)
      write('second')
    } catch {
      // The process that left the lock behind is dead, as it should be.
    }
    writeFileSync(lock, String(process.pid))
  }
}

async function post(event: object): Promise<boolean> {
  const body = {
    benchmark_status_event: { provider_id: spec.provider_id, id: spec.benchmark_id, benchmark_index: spec.benchmark_index, ...event },
  }
  const url = `${spec.callback_url}/api/v1/evaluations/jobs/${spec.id}/events`
  const response = await fetch(url, { method: 'POST', body: JSON.stringify(body) }).catch(() => undefined)
  return response?.status === 204
}

refuseCompany()
write('begins')
await post({ status: 'running', phase: 'running_evaluation' })
await pause(Number(spec.parameters.milliseconds))
// As the SDK's runner does: the end of a run is offered until it is taken.
for (let tries = 0; tries < 20; tries++) {
  if (await post({ status: 'completed', metrics: { acc: 0.75 } })) {
    write('acknowledged')
    break
  }
  await pause(100)
}
rmSync(lock)
