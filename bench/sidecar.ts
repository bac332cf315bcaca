import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { Agent, createServer, request, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'

/**
 * `node bench/sidecar.ts`: what the sidecar costs. Its resident memory when it has just started, and after the streams; and the time between a
 * token leaving the model and its arrival, by way of the sidecar and without it, with one and with many streams at once.
 */

const TOKENS = 400
const TOKEN_INTERVAL_MS = 5
const STREAMS = [1, 16]

/** Writes a stream of tokens, each with the time at which it left. */
const model: RequestListener = (_, response) => {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  let sent = 0
  const timer = setInterval(() => {
    const token = { sent: performance.now(), choices: [{ index: 0, delta: { content: ' token' }, finish_reason: null }] }
    response.write(`data: ${JSON.stringify({ id: 'chatcmpl-1', object: 'chat.completion.chunk', model: 'm', ...token })}\n\n`)
    if (++sent < TOKENS) return
    clearInterval(timer)
    response.end('data: [DONE]\n\n')
  }, TOKEN_INTERVAL_MS)
}

const agent = new Agent({ keepAlive: true })

/** Milliseconds that each token of a stream was under way; model and reader are one process with one clock. */
function delaysOf(port: number): Promise<number[]> {
  return new Promise((resolve, reject) => {
    const sent = request({ port, host: '127.0.0.1', path: '/v1/chat/completions', method: 'POST', agent }, (answer) => {
      const delays: number[] = []
      answer.on('data', (chunk: Buffer) => {
        const now = performance.now()
        for (const [, left] of chunk.toString().matchAll(/"sent":([\d.]+)/g)) delays.push(now - Number(left))
      })
      answer.once('end', () => resolve(delays))
    })
    sent.once('error', reject)
    sent.end('{"stream":true}')
  })
}

async function measure(port: number, streams: number) {
  const all = await Promise.all(Array.from({ length: streams }, () => delaysOf(port)))
  const delays = all.flat().sort((one, other) => one - other)
  const at = (share: number) => delays[Math.min(delays.length - 1, Math.floor(delays.length * share))] ?? Number.NaN
  return { mean: delays.reduce((sum, delay) => sum + delay, 0) / delays.length, p50: at(0.5), p99: at(0.99) }
}

async function residentMb(pid: number): Promise<number> {
  const [, kilobytes] = /VmRSS:\s+(\d+) kB/.exec(await readFile(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kilobytes) / 1024
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

async function startBundle(folder: string, modelPort: number) {
  const outfile = join(folder, 'sidecar.mjs')
  await build({ entryPoints: ['sidecar/main.ts'], bundle: true, platform: 'node', format: 'esm', minify: true, outfile, logLevel: 'error' })
  const config = {
    base_url: 'http://localhost:0',
    tenant: 'bench',
    run_token_path: join(folder, 'token'),
    eval_hub: { base_url: 'http://localhost:1' },
    model: { url: `http://127.0.0.1:${modelPort}/v1` },
  }
  await writeFile(join(folder, 'token'), 'token')
  await writeFile(join(folder, 'config.json'), JSON.stringify(config))
  await writeFile(join(folder, 'job.json'), JSON.stringify({ id: 'job', provider_id: 'p', benchmark_id: 'b', benchmark_index: 0 }))
  const env = {
    SIDECAR_CONFIG_PATH: join(folder, 'config.json'),
    JOB_SPEC_PATH: join(folder, 'job.json'),
    SPOOL_DIR: join(folder, 'spool'),
  }
  const child = spawn(process.execPath, [outfile], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  const line = await new Promise<string>((resolve) => child.stdout.once('data', (data: Buffer) => resolve(data.toString())))
  return { child, pid: child.pid ?? 0, port: (JSON.parse(line) as { port: number }).port }
}

const folder = await mkdtemp(join(tmpdir(), 'evalhub-bench-'))
const server = createServer(model)
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
const { port: modelPort } = server.address() as AddressInfo
const sidecar = await startBundle(folder, modelPort)
try {
  await pause(2000)
  process.stdout.write(`resident memory, idle since its start: ${(await residentMb(sidecar.pid)).toFixed(1)} MB\n`)
  for (const port of [modelPort, sidecar.port]) await measure(port, 1)
  for (const streams of STREAMS) {
    const [direct, through] = [await measure(modelPort, streams), await measure(sidecar.port, streams)]
    const figures = (['mean', 'p50', 'p99'] as const).map((name) => {
      const [without, by] = [direct[name], through[name]]
      return `${name} ${without.toFixed(2)} → ${by.toFixed(2)} ms (+${(by - without).toFixed(2)})`
    })
    process.stdout.write(`a token, ${streams} streams at once: ${figures.join(', ')}\n`)
  }
  await pause(10_000)
  process.stdout.write(`resident memory, idle after the streams: ${(await residentMb(sidecar.pid)).toFixed(1)} MB\n`)
} finally {
  sidecar.child.kill('SIGKILL')
  server.closeAllConnections()
  server.close()
  agent.destroy()
  await rm(folder, { recursive: true })
}
