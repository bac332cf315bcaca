import { describe, expect, test } from 'vitest'
import { serverSentEvents } from './server-sent-events.ts'

async function* chunksOf(text: string, size: number) {
  const bytes = new TextEncoder().encode(text)
  for (let at = 0; at < bytes.length; at += size) yield bytes.slice(at, at + size)
}

async function eventsOf(text: string, size: number): Promise<string[]> {
  const events: string[] = []
  for await (const event of serverSentEvents(chunksOf(text, size))) events.push(event)
  return events
}

describe('serverSentEvents', () => {
  const stream = ': comment\r\n\r\ndata: {"text":"naïve 🙂"}\r\n\r\nevent: x\nid: 1\ndata: two\ndata:lines\n\ndata\n\ndata: [DONE]\r\r'

  // Guarantee: the network may cut anywhere, within a character and between CR and LF too.
  test.each([1, 2, 3, 5, 7, 64, 10_000])('reads the same events from chunks of %i bytes', async (size) => {
    expect(await eventsOf(stream, size)).toEqual(['{"text":"naïve 🙂"}', 'two\nlines', '', '[DONE]'])
  })

  test('drops an event that was cut off', async () => {
    expect(await eventsOf('data: whole\n\ndata: half', 4)).toEqual(['whole'])
  })

  // Guarantee: an endpoint that sends byte by byte is read in the time that its bytes take, not their square.
  test('reads a long line from single bytes, and counts empty lines of data too', async () => {
    expect((await eventsOf(`data: ${'x'.repeat(500_000)}\n\n`, 1))[0]).toHaveLength(500_000)
    await expect(eventsOf('data:\n'.repeat(300_000), 65_536)).rejects.toThrow('more than 1048576 characters')
  })

  test('refuses an endless event instead of filling the memory', async () => {
    await expect(eventsOf(`data: ${'x'.repeat(2 * 1024 * 1024)}`, 65_536)).rejects.toThrow('more than 1048576 characters')
  })
})
