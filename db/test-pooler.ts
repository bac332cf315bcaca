import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** Stands before a server as PgBouncer does: it takes no connection with a parameter that it does not know, and passes cancels on. */
export type Pooler = { url: string; refused: () => string[]; close: () => Promise<void> }

const KNOWN = new Set(['user', 'database', 'client_encoding', 'application_name'])
const STARTUP = 196_608

export async function startPooler(serverUrl: string): Promise<Pooler> {
  const target = new URL(serverUrl)
  const refused: string[] = []
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    sockets.add(client.on('error', () => undefined).on('close', () => sockets.delete(client)))
    client.once('data', (first: Buffer) => {
      const unknown = first.readInt32BE(4) === STARTUP ? unknownOf(first) : undefined
      if (unknown !== undefined) {
        refused.push(unknown)
        return client.end(fatal(`unsupported startup parameter: ${unknown}`))
      }
      const upstream = connect(Number(target.port), target.hostname, () => upstream.write(first))
      sockets.add(upstream.on('error', () => client.destroy()).on('close', () => client.destroy()))
      client.on('close', () => upstream.destroy())
      client.pipe(upstream).pipe(client)
      return undefined
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = new URL(serverUrl)
  url.port = String((server.address() as AddressInfo).port)
  return {
    url: url.href,
    refused: () => refused,
    async close() {
      server.close()
      for (const socket of sockets) socket.destroy()
      await once(server, 'close')
    },
  }
}

function unknownOf(message: Buffer): string | undefined {
  const words = message.subarray(8).toString().split('\0')
  return words.find((word, at) => at % 2 === 0 && word !== '' && !KNOWN.has(word))
}

/** As PgBouncer 1.18 says it. */
function fatal(message: string): Buffer {
  const fields = Buffer.from(`SERROR\0C08P01\0M${message}\0\0`)
  const head = Buffer.from('E\0\0\0\0')
  head.writeInt32BE(4 + fields.length, 1)
  return Buffer.concat([head, fields])
}
