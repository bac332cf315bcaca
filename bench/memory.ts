import { readFile } from 'node:fs/promises'
import type { Place } from './compare.ts'
import { median } from './measure.ts'
import type { OperationName, Subject } from './operations.ts'
import { figuresOf, type Server } from './processes.ts'

const MIX: readonly OperationName[] = ['submit', 'progress', 'get', 'first page']

const CONNECTIONS_EACH = 16

/** Resident memory in MB; undefined where the system does not say. */
async function residentMb(pid: number): Promise<number | undefined> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  const kilobytes = /VmRSS:\s+(\d+)/.exec(status)?.[1]
  return kilobytes === undefined ? undefined : Math.round(Number(kilobytes) / 1024)
}

/** Memory of the API's process while 64 connections submit, report, read and list. */
export async function benchMemory(place: Place, server: Server, subject: Subject, seconds: number): Promise<void> {
  const before = await residentMb(server.pid)
  if (before === undefined) {
    console.log('memory is left out: this system has no /proc')
    return
  }
  const samples: number[] = []
  const timer = setInterval(() => void residentMb(server.pid).then((mb) => mb !== undefined && samples.push(mb)), 500)
  const figures = await Promise.all(
    MIX.map((operation) => figuresOf({ role: 'load', url: place.url, operation, connections: CONNECTIONS_EACH, seconds, subject })),
  )
  clearInterval(timer)
  const third = Math.floor(samples.length / 3)
  const rates = MIX.map((operation, at) => `${operation} ${Math.round(figures[at]?.perSecond ?? 0)}/s`).join(', ')
  console.log(`${seconds} s of ${rates}`)
  console.log(
    `resident MB: ${before} at first, ${Math.max(...samples)} at most; median of the second third ${median(samples.slice(third, 2 * third))}, of the last ${median(samples.slice(2 * third))}`,
  )
}
