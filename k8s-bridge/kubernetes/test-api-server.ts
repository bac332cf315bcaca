import { spawn, type ChildProcess } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KubeConfig } from '@kubernetes/client-node'
import { streamFrom } from './api-stream.ts'

/** A real API server over a real etcd, of this test's own, that can be killed. */
export type TestApiServer = {
  url: string
  config: KubeConfig
  /** Key and certificate of the server, for a proxy in front of it. */
  tls: { key: Buffer; cert: Buffer }
  /** `kill -9` of the API server alone. */
  kill(): Promise<void>
  /** Starts it again, on the same port, and waits until it answers. */
  start(): Promise<void>
  /** Makes etcd forget all versions but the present ones. */
  compact(): Promise<void>
  stop(): Promise<void>
}

/** Where `etcd` and `kube-apiserver` are; undefined: tests that need them are skipped. */
export const apiServerAssets = process.env['KUBEBUILDER_ASSETS']

const token = 'for-this-test-only'

export async function startApiServer(assets: string): Promise<TestApiServer> {
  const directory = await mkdtemp(join(tmpdir(), 'evalhub-api-server-'))
  const ports = await freePorts(3)
  const [etcdPort = 0, peerPort = 0, port = 0] = ports
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  await writeFile(join(directory, 'accounts.key'), privateKey.export({ type: 'pkcs8', format: 'pem' }))
  await writeFile(join(directory, 'accounts.pub'), publicKey.export({ type: 'spki', format: 'pem' }))
  await writeFile(join(directory, 'tokens.csv'), `${token},admin,admin,"system:masters"\n`)

  const run = (program: string, args: string[]) => {
    const log = openSync(join(directory, `${program}.log`), 'a')
    const child = spawn(join(assets, program), args, { stdio: ['ignore', log, log] })
    closeSync(log)
    return child
  }
  const etcd = run('etcd', etcdArgs(directory, etcdPort, peerPort))
  let server: ChildProcess | undefined
  const url = `https://127.0.0.1:${port}`
  const config = configFor(url)
  const start = async () => {
    server = run('kube-apiserver', serverArgs(directory, etcdPort, port))
    await untilReady(config, server)
  }
  const kill = async () => {
    if (server) await end(server, 'SIGKILL')
  }
  await start()
  return {
    url,
    config,
    tls: { key: await readFile(join(directory, 'apiserver.key')), cert: await readFile(join(directory, 'apiserver.crt')) },
    kill,
    start,
    compact: () => compact(`http://127.0.0.1:${etcdPort}`),
    stop: async () => {
      await kill()
      await end(etcd, 'SIGKILL')
      await rm(directory, { recursive: true })
    },
  }
}

/** A client of an API server whose certificate nobody signed. */
export function configFor(server: string): KubeConfig {
  const config = new KubeConfig()
  config.loadFromClusterAndUser({ name: 'test', server, skipTLSVerify: true }, { name: 'admin', token })
  return config
}

const etcdArgs = (directory: string, port: number, peerPort: number) =>
  words(`--name=test --data-dir=${directory}/etcd --unsafe-no-fsync --log-level=warn
    --listen-client-urls=http://127.0.0.1:${port} --advertise-client-urls=http://127.0.0.1:${port}
    --listen-peer-urls=http://127.0.0.1:${peerPort} --initial-advertise-peer-urls=http://127.0.0.1:${peerPort}
    --initial-cluster=test=http://127.0.0.1:${peerPort}`)

const serverArgs = (directory: string, etcdPort: number, port: number) =>
  words(`--etcd-servers=http://127.0.0.1:${etcdPort} --cert-dir=${directory} --bind-address=127.0.0.1 --secure-port=${port}
    --advertise-address=127.0.0.1 --endpoint-reconciler-type=none --service-cluster-ip-range=10.0.0.0/24
    --authorization-mode=AlwaysAllow --token-auth-file=${directory}/tokens.csv --disable-admission-plugins=ServiceAccount
    --service-account-issuer=https://test --service-account-key-file=${directory}/accounts.pub
    --service-account-signing-key-file=${directory}/accounts.key`)

const words = (text: string) => text.split(/\s+/)

async function untilReady(config: KubeConfig, server: ChildProcess): Promise<void> {
  const open = streamFrom(config)
  for (let tries = 0; tries < 600; tries++) {
    if (server.exitCode !== null) throw new Error(`the API server ended with ${server.exitCode}`)
    try {
      for await (const _ of await open('/readyz', AbortSignal.timeout(5000)));
      return
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
  throw new Error('the API server did not get ready in a minute')
}

async function compact(etcd: string): Promise<void> {
  const ask = async (path: string, body: unknown) =>
    (await fetch(`${etcd}/v3/${path}`, { method: 'POST', body: JSON.stringify(body) })).json()
  const { header } = (await ask('kv/range', { key: 'AA==' })) as { header: { revision: string } }
  await ask('kv/compaction', { revision: header.revision, physical: true })
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill(signal)
  await once(child, 'exit')
}

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, '127.0.0.1')
      await once(server, 'listening')
      return server
    }),
  )
  return Promise.all(
    servers.map(async (server) => {
      const address = server.address()
      server.close()
      await once(server, 'close')
      return typeof address === 'object' && address ? address.port : 0
    }),
  )
}
