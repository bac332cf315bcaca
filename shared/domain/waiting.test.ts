import { describe, expect, test } from 'vitest'
import { waitingMessage } from './waiting.ts'

const found = { kind: 'image_pull', message: 'The image cannot be pulled.' }

describe('waitingMessage', () => {
  test.each<[string, Parameters<typeof waitingMessage>[0], RegExp | undefined]>([
    ['says nothing at first', { waiting: null, ageSeconds: 19, bridgeSeenSecondsAgo: 1 }, undefined],
    ['says nothing at first without a bridge either', { waiting: null, ageSeconds: 19, bridgeSeenSecondsAgo: null }, undefined],
    ['says what was found at once', { waiting: found, ageSeconds: 1, bridgeSeenSecondsAgo: 1 }, /^The image cannot be pulled\.$/],
    ['says after a while that others are ahead', { waiting: null, ageSeconds: 20, bridgeSeenSecondsAgo: 60 }, /waits for its turn/],
    [
      'says after a while that no bridge was ever there',
      { waiting: null, ageSeconds: 20, bridgeSeenSecondsAgo: null },
      /No bridge is at work/,
    ],
    ['says that the bridge is gone, whatever it found before', { waiting: found, ageSeconds: 99, bridgeSeenSecondsAgo: 61 }, /No bridge/],
  ])('%s', (_, pending, expected) => {
    const message = waitingMessage(pending)
    if (expected) expect(message).toMatchObject({ message: expect.stringMatching(expected), message_code: 'benchmark_waiting' })
    else expect(message).toBeUndefined()
  })
})
