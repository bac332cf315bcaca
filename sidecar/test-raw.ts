import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** A request as its bytes say it, read by the letter: what no header frames is the beginning of the next. */
export type RawRequest = { line: string; headers: [name: string, value: string][]; body: string; connection: number }

/** All values of a header. */
export const valuesOf = ({ headers }: RawRequest, name: string) => headers.filter(([each]) => each === name).map(([, value]) => value)

type Read = { request: Omit<RawRequest, 'connection'>; rest: string }

/** The first request in `bytes`, and what comes after it. Undefined: it is not whole yet. */
function readRequest(bytes: string): Read | undefined {
  const end = bytes.indexOf('\r\n\r\n')
  if (end === -1) return undefined
  const [line = '', ...lines] = bytes.slice(0, end).split('\r\n')
  const headers = lines.map((text): [string, string] => [text.split(':', 1)[0]!.toLowerCase(), text.replace(/^[^:]*:\s*/, '')])
  const framing = { line, headers, body: '', connection: 0 }
  const after = bytes.slice(end + 4)
  if (valuesOf(framing, 'transfer-encoding').length > 0) return readChunks({ line, headers }, after)
  const length = Number(valuesOf(framing, 'content-length')[0] ?? 0)
  return after.length < length ? undefined : { request: { line, headers, body: after.slice(0, length) }, rest: after.slice(length) }
}

function readChunks(head: { line: string; headers: [string, string][] }, bytes: string): Read | undefined {
  let [body, rest] = ['', bytes]
  for (;;) {
    const [size] = /^[0-9a-f]+\r\n/i.exec(rest) ?? []
    if (size === undefined) return undefined
    const length = Number.parseInt(size, 16)
    const chunk = rest.slice(size.length, size.length + length)
    if (rest.length < size.length + length + 2) return undefined
    rest = rest.slice(size.length + length + 2)
    if (length === 0) return { request: { ...head, body }, rest }
    body += chunk
  }
}

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

/** An upstream of bare sockets on loopback. `requests`: what it was asked, by the bytes. `left`: bytes of a connection that are no whole request (yet). */
export async function rawUpstream(answer: (request: RawRequest, socket: Socket) => string | undefined = () => OK) {
  const requests: RawRequest[] = []
  const sockets: Socket[] = []
  const left: string[] = []
  const server = createServer((socket) => {
    const connection = sockets.push(socket) - 1
    let bytes = ''
    socket.on('error', () => undefined)
    socket.on('data', (chunk) => {
      bytes += chunk.toString('latin1')
      for (let read = readRequest(bytes); read; read = readRequest(bytes)) {
        bytes = read.rest
        const request = { ...read.request, connection }
        requests.push(request)
        const said = answer(request, socket)
        if (said !== undefined) socket.write(said, 'latin1')
      }
      left[connection] = bytes
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
    requests,
    sockets,
    left,
    close() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

/** Sends bytes as they are, and resolves with all that comes back until the other side closes. */
export function exchangeRaw(url: URL, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    let answered = ''
    const socket = connect(Number(url.port), url.hostname, () => socket.write(bytes, 'latin1'))
    socket.on('data', (chunk) => (answered += chunk.toString('latin1')))
    socket.once('error', () => undefined)
    socket.once('close', () => resolve(answered))
  })
}
