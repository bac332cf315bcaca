import { spawn, type ChildProcess } from 'node:child_process'
import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import { createServer, type AddressInfo } from 'node:net'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { stringify } from 'yaml'

/** An API server that a test may be rough with: no controller acts, and no pod starts. */
export type ApiServer = {
  /** File of a client that may do all. */
  kubeconfig: string
  /** For other servers at 127.0.0.1 that the API server is to trust, PEM; absent if it speaks plain HTTP. */
  certificate?: { cert: string; key: string }
  /** Ends the API server with SIGKILL. Its objects stay. */
  killApiServer(): Promise<void>
  /** Starts it again at the same address, and waits until it is ready. */
  startApiServer(): Promise<void>
  /** Makes it forget all versions but the present ones, once it has been started again: as happens every few minutes. */
  forgetVersions(): Promise<void>
  /** Ends it and removes its files. */
  stop(): Promise<void>
}

/** etcd and the real API server, with its admission and RBAC. */
export type ControlPlane = ApiServer & { certificate: { cert: string; key: string } }

/** The directory with etcd and kube-apiserver: `KUBEBUILDER_ASSETS`, else where the cluster tools put them. Undefined if they are not there. */
export function findBinaries(): string | undefined {
  const { KUBEBUILDER_ASSETS: given, XDG_CACHE_HOME: cache } = process.env
  const directory = given || join(cache || join(homedir(), '.cache'), 'evalhub-kubernetes', 'bin')
  return ['etcd', 'kube-apiserver'].every((name) => existsSync(join(directory, name))) ? directory : undefined
}

/** Starts a control plane of its own on free ports of 127.0.0.1, in a temporary directory. */
export async function startControlPlane(binaries: string): Promise<ControlPlane> {
  const directory = await mkdtemp(join(tmpdir(), 'evalhub-cluster-'))
  const [etcdPort, peerPort, apiPort] = await freePorts(3)
  const token = randomUUID()
  await writeAccounts(directory, token)
  const etcd = await startPart(directory, join(binaries, 'etcd'), etcdFlags(directory, etcdPort!, peerPort!))
  const startApiServer = async () => {
    const part = await startPart(directory, join(binaries, 'kube-apiserver'), apiServerFlags(directory, etcdPort!, apiPort!))
    await untilReady(part, { directory, port: apiPort!, token })
    return part
  }
  const stopAll = async (...parts: Part[]) => {
    await Promise.all(parts.map((part) => part.end()))
    await rm(directory, { recursive: true, force: true })
  }
  let apiServer = await startApiServer().catch(async (error: unknown) => {
    await stopAll(etcd)
    throw error
  })
  return {
    kubeconfig: await writeKubeconfig(directory, apiPort!, token),
    certificate: { cert: await servingCertificate(directory), key: await readFile(join(directory, 'serving', 'apiserver.key'), 'utf8') },
    killApiServer: () => apiServer.end(),
    startApiServer: async () => void (apiServer = await startApiServer()),
    forgetVersions: () => compact(`http://127.0.0.1:${etcdPort}`),
    stop: () => stopAll(apiServer, etcd),
  }
}

/** Nothing of it outlives the tests, so that etcd need not wait for the disk. */
const etcdFlags = (directory: string, port: number, peerPort: number) => [
  `--data-dir=${join(directory, 'etcd')}`,
  '--unsafe-no-fsync',
  '--log-level=warn',
  `--listen-client-urls=http://127.0.0.1:${port}`,
  `--advertise-client-urls=http://127.0.0.1:${port}`,
  `--listen-peer-urls=http://127.0.0.1:${peerPort}`,
  `--initial-advertise-peer-urls=http://127.0.0.1:${peerPort}`,
  `--initial-cluster=default=http://127.0.0.1:${peerPort}`,
]

/** Admission plugins are the default ones, Pod Security and quotas among them. */
const apiServerFlags = (directory: string, etcdPort: number, port: number) => [
  `--etcd-servers=http://127.0.0.1:${etcdPort}`,
  '--bind-address=127.0.0.1',
  '--advertise-address=127.0.0.1',
  `--secure-port=${port}`,
  '--endpoint-reconciler-type=none',
  '--service-cluster-ip-range=10.0.0.0/24',
  `--cert-dir=${join(directory, 'serving')}`,
  '--authorization-mode=RBAC',
  `--token-auth-file=${join(directory, 'tokens.csv')}`,
  '--service-account-issuer=https://kubernetes.default.svc',
  `--service-account-key-file=${join(directory, 'accounts.pub')}`,
  `--service-account-signing-key-file=${join(directory, 'accounts.key')}`,
]

/** As an API server has etcd do every few minutes. */
async function compact(etcdUrl: string): Promise<void> {
  const ask = async (path: string, body: unknown) =>
    (await fetch(`${etcdUrl}/v3/kv/${path}`, { method: 'POST', body: JSON.stringify(body) })).json()
  const { header } = (await ask('range', { key: 'AA==' })) as { header: { revision: string } }
  await ask('compaction', { revision: header.revision, physical: true })
}

async function writeAccounts(directory: string, token: string): Promise<void> {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  await mkdir(join(directory, 'serving'))
  await writeFile(join(directory, 'accounts.key'), privateKey.export({ type: 'pkcs1', format: 'pem' }), { mode: 0o600 })
  await writeFile(join(directory, 'accounts.pub'), publicKey.export({ type: 'spki', format: 'pem' }))
  await writeFile(join(directory, 'tokens.csv'), `${token},admin,admin,"system:masters"\n`, { mode: 0o600 })
}

/** The API server signs its own certificate; who trusts that file trusts this server alone. */
const servingCertificate = (directory: string) => readFile(join(directory, 'serving', 'apiserver.crt'), 'utf8')

async function writeKubeconfig(directory: string, port: number, token: string): Promise<string> {
  const path = join(directory, 'kubeconfig')
  const ca = Buffer.from(await servingCertificate(directory)).toString('base64')
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'admin' } }],
    clusters: [{ name: 'test', cluster: { server: `https://127.0.0.1:${port}`, 'certificate-authority-data': ca } }],
    users: [{ name: 'admin', user: { token } }],
  }
  await writeFile(path, stringify(config), { mode: 0o600 })
  return path
}

type Part = { child: ChildProcess; log: string; end(): Promise<void> }

async function startPart(directory: string, program: string, flags: readonly string[]): Promise<Part> {
  const log = `${join(directory, program.split('/').at(-1) ?? '')}.log`
  const file = await open(log, 'a')
  const child = spawn(program, flags, { cwd: directory, stdio: ['ignore', file.fd, file.fd] })
  await file.close()
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()).once('error', () => resolve()))
  const kill = () => void child.kill('SIGKILL')
  process.once('exit', kill)
  return {
    child,
    log,
    async end() {
      kill()
      await ended
      process.off('exit', kill)
    },
  }
}

const readyMs = 60_000

async function untilReady(part: Part, server: { directory: string; port: number; token: string }): Promise<void> {
  const deadline = performance.now() + readyMs
  while (!(await isReady(server))) {
    const hasEnded = part.child.exitCode !== null || part.child.signalCode !== null
    if (hasEnded || performance.now() > deadline) {
      const last = (await readFile(part.log, 'utf8')).split('\n').slice(-10).join('\n')
      await part.end()
      throw new Error(`The API server ${hasEnded ? 'ended' : `was not ready after ${readyMs} ms`}:\n${last}`)
    }
    await delay(100)
  }
}

async function isReady({ directory, port, token }: { directory: string; port: number; token: string }): Promise<boolean> {
  const ca = await servingCertificate(directory).catch(() => undefined)
  if (ca === undefined) return false
  return new Promise((resolve) => {
    const options = { host: '127.0.0.1', port, path: '/readyz', ca, headers: { authorization: `Bearer ${token}` }, timeout: 2000 }
    const asked = request(options, (response) => {
      response.resume()
      resolve(response.statusCode === 200)
    })
    asked.on('error', () => resolve(false)).on('timeout', () => asked.destroy())
    asked.end()
  })
}

/** All are held until the last is known, so that they differ. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer()
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      return server
    }),
  )
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}
