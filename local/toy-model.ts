import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { oneAtATime } from '#shared/one-at-a-time.ts'
import { toyApp } from './toy-app.ts'
import type { ToyAppOptions } from './toy-app.ts'
import { TOY_MODEL_NAME } from './toy-wire.ts'

export type ToyModelOptions = ToyAppOptions & {
  /** Default: any free one. */
  port?: number
}

/** `url` ends in `/v1`. */
export type ToyModel = { url: string; name: string; stop: () => Promise<void> }

/**
 * Starts an OpenAI-compatible endpoint on the loopback interface that answers without any model: the questions of
 * the shipped data sets with a known share of right answers and of failures, everything else with words. Each answer
 * is a function of the prompt alone.
 */
export async function startToyModel(options: ToyModelOptions = {}): Promise<ToyModel> {
  const server = createServer(oneAtATime(getRequestListener(toyApp(options).fetch)))
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port ?? 0, '127.0.0.1', resolve)
  })
  // A server that listens on a TCP port has an address of this form.
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/v1`,
    name: TOY_MODEL_NAME,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
