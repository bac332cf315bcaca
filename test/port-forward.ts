import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

/** A port that stays the same while the server behind it comes and goes: as a database's address does when the database is started again. */
export type PortForward = {
  port: number
  /** From now on connections are refused, and those there are have ended. */
  close(): Promise<void>
  /** From now on connections lead to this port. */
  open(target: number): Promise<void>
}

export async function forwardPort(target: number): Promise<PortForward> {
  const sockets = new Set<Socket>()
  let server: Server | undefined
  const listen = async (port: number, to: number) => {
    server = createServer((client) => {
      const upstream = connect(to, '127.0.0.1')
      for (const socket of [client, upstream]) sockets.add(socket.on('close', () => sockets.delete(socket)))
      client.pipe(upstream).pipe(client)
      client.on('error', () => upstream.destroy())
      upstream.on('error', () => client.destroy())
      upstream.on('close', () => client.destroy())
    }).listen(port, '127.0.0.1')
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  }
  const port = await listen(0, target)
  return {
    port,
    async close() {
      const closed = server && once(server, 'close')
      server?.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
    open: async (to) => void (await listen(port, to)),
  }
}
