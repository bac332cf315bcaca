import { createHash, randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export const digestOf = (bytes: Buffer | string) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`

export type Refusal = { status: number; headers?: Record<string, string>; code?: string } | 'hang up'

type Asked = { method: string; path: string }

/**
 * A registry on loopback that takes nothing it should not: every digest, length and reference is looked at, as the distribution
 * specification says. `refuse` is asked first, and again once half of an upload has come (`isHalfway`).
 */
export async function startStrictRegistry(repository: string, refuse: (asked: Asked & { isHalfway: boolean }) => Refusal | undefined) {
  const blobs = new Map<string, Buffer>()
  const manifests = new Map<string, string>()
  const sessions = new Set<string>()
  const asked: Asked[] = []

  const answer = (response: ServerResponse, status: number, headers: Record<string, string> = {}, code?: string) => {
    const body = code === undefined ? '' : JSON.stringify({ errors: [{ code, message: `it is ${code}`, detail: {} }] })
    response.writeHead(status, headers).end(body)
  }
  const deny = (response: ServerResponse, refusal: Refusal) => {
    if (refusal === 'hang up') response.destroy()
    else answer(response, refusal.status, refusal.headers, refusal.code)
  }
  const readAll = async (request: IncomingMessage, response: ServerResponse, seen: Asked) => {
    const chunks: Buffer[] = []
    const half = Number(request.headers['content-length'] ?? 0) / 2
    let bytes = 0
    for await (const chunk of request) {
      chunks.push(chunk as Buffer)
      bytes += (chunk as Buffer).length
      const refusal = bytes >= half && bytes - (chunk as Buffer).length < half ? refuse({ ...seen, isHalfway: true }) : undefined
      if (!refusal) continue
      deny(response, refusal)
      return undefined
    }
    return Buffer.concat(chunks)
  }
  const takeBlob = (response: ServerResponse, url: URL, body: Buffer) => {
    const [session, digest] = [url.pathname.split('/').at(-1) ?? '', url.searchParams.get('digest') ?? '']
    if (!sessions.delete(session) || url.searchParams.get('state') !== 'a=b') return answer(response, 404, {}, 'BLOB_UPLOAD_UNKNOWN')
    if (digestOf(body) !== digest) return answer(response, 400, {}, 'DIGEST_INVALID')
    blobs.set(digest, body)
    answer(response, 201, { 'docker-content-digest': digest })
  }
  const takeManifest = (response: ServerResponse, tag: string, body: Buffer, type: string | undefined) => {
    const manifest = JSON.parse(body.toString())
    const parts: { digest: string; size: number }[] = [manifest.config, ...manifest.layers]
    const isWhole = parts.every(({ digest, size }) => blobs.get(digest)?.length === size)
    if (!isWhole || type !== manifest.mediaType) return answer(response, 400, {}, 'MANIFEST_INVALID')
    manifests.set(tag, body.toString())
    answer(response, 201, { 'docker-content-digest': digestOf(body) })
  }
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://registry')
    const seen = { method: request.method ?? '', path: url.pathname }
    asked.push(seen)
    const refusal = refuse({ ...seen, isHalfway: false })
    if (refusal) return deny(response, refusal)
    const rest = url.pathname.replace(`/v2/${repository}/`, '')
    if (seen.method === 'HEAD') return answer(response, blobs.has(rest.replace('blobs/', '')) ? 200 : 404)
    if (seen.method === 'POST' && rest === 'blobs/uploads/') {
      const session = randomUUID()
      sessions.add(session)
      return answer(response, 202, { location: `/v2/${repository}/blobs/uploads/${session}?state=a%3Db` })
    }
    void takeBody()

    async function takeBody() {
      const body = await readAll(request, response, seen)
      if (body && rest.startsWith('blobs/uploads/')) takeBlob(response, url, body)
      else if (body) takeManifest(response, rest.replace('manifests/', ''), body, request.headers['content-type'])
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    blobs,
    manifests,
    asked,
    stop: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}
