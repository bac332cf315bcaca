import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildInto, memoryMb, startBuilt } from './built-functions.ts'
import { median } from './measure.ts'
import type { OperationName, Subject } from './operations.ts'
import { figuresOf } from './processes.ts'

const MIX: readonly OperationName[] = ['submit', 'progress', 'get', 'first page']

const CONNECTIONS_EACH = 16

/** Memory of the functions, as they are built for an image, while 64 connections submit, report, read and list for `seconds`. */
export async function benchMemory(databaseUrl: string, subject: Subject, seconds: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'evalhub-built-'))
  try {
    await buildInto(folder)
    const { url, pid, stop } = await startBuilt(folder, databaseUrl)
    const samples: number[] = [await memoryMb(pid)]
    const timer = setInterval(() => void memoryMb(pid).then((mb) => samples.push(mb)), 500)
    const figures = await Promise.all(
      MIX.map((operation) => figuresOf({ role: 'load', url, operation, connections: CONNECTIONS_EACH, seconds, subject })),
    )
    clearInterval(timer)
    await stop()
    print(
      samples.map(Math.round),
      seconds,
      MIX.map((operation, at) => `${operation} ${Math.round(figures[at]?.perSecond ?? 0)}/s`),
    )
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function print(samples: readonly number[], seconds: number, rates: readonly string[]): void {
  const third = Math.floor(samples.length / 3)
  const [first, second, last] = [0, 1, 2].map((at) => median(samples.slice(at * third, (at + 1) * third)))
  console.log(`${seconds} s of ${rates.join(', ')}`)
  console.log(
    `resident MB: ${samples[0]} when ready, ${Math.max(...samples)} at most; medians of the thirds of the time: ${first}, ${second}, ${last}`,
  )
}
