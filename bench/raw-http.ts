import { connect, type Socket } from 'node:net'

/**
 * A connection that sends one prepared request at a time and waits for its answer: much cheaper than a real client, so that
 * on two cores the load takes as little as possible from the server. Rejects on any status of 400 and above.
 */
export function openConnection(url: URL): Promise<(request: Buffer) => Promise<void>> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: url.hostname, port: Number(url.port), noDelay: true })
    socket.once('error', reject)
    socket.once('connect', () => resolve(requester(socket)))
  })
}

function requester(socket: Socket): (request: Buffer) => Promise<void> {
  let received = Buffer.alloc(0)
  let settle: { resolve: () => void; reject: (error: unknown) => void } | undefined
  socket.on('data', (chunk) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk])
    const length = lengthOfAnswer(received)
    if (length === undefined || received.length < length) return
    const status = Number(received.toString('latin1', 9, 12))
    const body = received.toString('utf8', 0, Math.min(length, 500))
    received = received.subarray(length)
    if (status < 400) settle?.resolve()
    else settle?.reject(new Error(body))
  })
  socket.on('close', () => settle?.reject(new Error('the server closed the connection')))
  return (request) =>
    new Promise((resolve, reject) => {
      settle = { resolve, reject }
      socket.write(request)
    })
}

/** Bytes of the first answer in `data`; undefined while its end is not known. */
function lengthOfAnswer(data: Buffer): number | undefined {
  const end = data.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const head = data.toString('latin1', 0, end)
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
  if (length !== undefined) return end + 4 + Number(length)
  if (!/\r\ntransfer-encoding: *chunked/i.test(head)) return end + 4
  const last = data.indexOf('0\r\n\r\n', end + 4, 'latin1')
  return last < 0 ? undefined : last + 5
}

type Asked = { method: string; path: string; body?: unknown }

/** An HTTP/1.1 request as bytes, in the name of `tenant`; of nobody if that is empty. */
export function requestBytes(url: URL, { method, path, body }: Asked, tenant: string): Buffer {
  const content = body === undefined ? '' : JSON.stringify(body)
  const headers = [
    `Host: ${url.host}`,
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(content)}`,
    ...(tenant === '' ? [] : [`X-Tenant: ${tenant}`]),
  ]
  return Buffer.from(`${method} ${path} HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n${content}`)
}
