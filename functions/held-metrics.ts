import { Gauge, type Registry } from 'prom-client'
import { SHARED_BYTES, SHARED_PLACES, type Memory } from './memory.ts'

type Options = {
  registry: Registry
  memory: Memory
  /** Connections to the database that are in use. */
  connections: () => number
  /** Requests that are at work, also those that have been answered before their work has ended. */
  requests: () => number
}

/** What requests hold of what all share, as it is at each scrape. Where nobody asks for anything all of it is 0. */
export function createHeldMetrics({ registry, memory, connections, requests }: Options): void {
  const bytes = new Gauge({
    name: 'evalhub_request_memory_held_bytes',
    help: 'Memory that requests and their answers hold, of what REQUEST_MEMORY_BYTES allows.',
    labelNames: ['share'] as const,
    registers: [],
    collect() {
      const held = memory.held()
      for (const share of SHARED_BYTES) this.set({ share }, held[share])
    },
  })
  const places = new Gauge({
    name: 'evalhub_request_places_held',
    help: 'Places that are taken: of requests at work, connections to the database, and answers under way piece by piece.',
    labelNames: ['place'] as const,
    registers: [],
    collect() {
      const held = memory.held()
      for (const place of SHARED_PLACES) this.set({ place }, held[place])
      this.set({ place: 'requests' }, requests())
      this.set({ place: 'connections' }, connections())
    },
  })
  for (const gauge of [bytes, places]) registry.registerMetric(gauge)
}
