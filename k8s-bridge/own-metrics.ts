import { Counter, Gauge, type Registry } from 'prom-client'
import type { LaunchOutcome } from './launch-due.ts'

export type OwnMetrics = {
  onLaunch(outcome: LaunchOutcome, count: number): void
  onObserver(isObserver: boolean): void
  onRestart(kind: string, reason: string): void
}

/** Metrics of what this bridge itself does: those of several are to be read by `sum`. */
export function createOwnMetrics(registry: Registry): OwnMetrics {
  const registers = [registry]
  const launches = new Counter({
    name: 'evalhub_launches_total',
    help: 'Launches that this bridge tried. deferred: tried again later; lost: its lease had run out, or the run had been taken back.',
    labelNames: ['outcome'],
    registers,
  })
  const restarts = new Counter({
    name: 'evalhub_watch_restarts_total',
    help: 'Watches of the cluster that began anew.',
    labelNames: ['kind', 'reason'],
    registers,
  })
  const observing = new Gauge({ name: 'evalhub_bridge_observing', help: 'Whether this bridge is the one that observes.', registers })
  for (const outcome of ['launched', 'deferred', 'refused', 'lost'] as const) launches.inc({ outcome }, 0)
  return {
    onLaunch: (outcome, count) => launches.inc({ outcome }, count),
    onObserver: (isObserver) => observing.set(isObserver ? 1 : 0),
    onRestart: (kind, reason) => restarts.inc({ kind, reason }),
  }
}
