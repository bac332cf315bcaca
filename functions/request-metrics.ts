import { Counter, Gauge, Histogram, type Registry } from 'prom-client'

/** What a server's requests add up to. Names, labels and the buckets of durations are the published server's. */
export type RequestMetrics = {
  began: (method: string) => void
  ended: (request: EndedRequest) => void
}

export type EndedRequest = {
  method: string
  /** The pattern of its path; absent where the path is none of ours. */
  route: string | undefined
  /** Absent where the client went away before there was one. */
  status: number | undefined
  seconds: number
  requestBytes: number
  responseBytes: number
}

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]
const BYTES = [0, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 10_485_760, 52_428_800]

/** Other methods come from whoever likes to send them, and each would be a time series. */
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])

const methodOf = (method: string) => (METHODS.has(method) ? method : '_OTHER')

const LABELS = ['http_request_method', 'http_route', 'http_response_status_code'] as const
const SERVER_LABELS = [
  ...LABELS,
  'url_scheme',
  'server_address',
  'server_port',
  'network_protocol_name',
  'network_protocol_version',
] as const

/** Of the server that is measured: as configured, never as a client's `Host` has it. */
export type MeasuredServer = { scheme: 'http' | 'https'; host: string; port: number }

export function createRequestMetrics(registry: Registry, { scheme, host, port }: MeasuredServer): RequestMetrics {
  const registers = [registry]
  const count = new Counter({
    name: 'http_server_request_count_total',
    help: 'Requests; the route of a path that is none is not_found.',
    labelNames: LABELS,
    registers,
  })
  const active = new Gauge({
    name: 'http_server_active_requests',
    help: 'Requests under way.',
    labelNames: ['http_request_method', 'url_scheme'] as const,
    registers,
  })
  const histogram = (name: string, help: string, buckets: number[]) =>
    new Histogram({ name, help, labelNames: SERVER_LABELS, buckets, registers })
  const seconds = histogram('http_server_request_duration_seconds', 'From the headers of a request to the end of its answer.', SECONDS)
  const requestBytes = histogram('http_server_request_body_size_bytes', 'Body of a request.', BYTES)
  const responseBytes = histogram('http_server_response_body_size_bytes', 'Body of an answer.', BYTES)
  const server = {
    url_scheme: scheme,
    server_address: host,
    server_port: port,
    network_protocol_name: 'http',
    network_protocol_version: '1.1',
  }

  return {
    began: (method) => active.inc({ http_request_method: methodOf(method), url_scheme: scheme }),
    ended({ method, route, status, ...sizes }) {
      active.dec({ http_request_method: methodOf(method), url_scheme: scheme })
      const labels = {
        http_request_method: methodOf(method),
        http_route: route ?? 'not_found',
        http_response_status_code: status ?? 'none',
      }
      count.inc(labels)
      if (route === undefined || route === '/metrics') return
      const all = { ...labels, ...server }
      seconds.observe(all, sizes.seconds)
      requestBytes.observe(all, sizes.requestBytes)
      responseBytes.observe(all, sizes.responseBytes)
    },
  }
}
