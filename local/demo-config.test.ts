import { describe, expect, test } from 'vitest'
import { demoRequest, terminalFrom } from './demo-config.ts'

const MODEL = ['--model-url', 'http://h/v1/', '--model-name', 'm']

describe('demoRequest', () => {
  test('without arguments is the toy and the starter collection', () => {
    expect(demoRequest([], {})).toMatchObject({ do: 'run', config: { model: undefined, numExamples: undefined, collection: 'starter-v1' } })
  })

  test('names a model, with the key from the environment', () => {
    const argv = [...MODEL, '--api-key-env', 'KEY', '--num-examples', '20', '--collection', 'c']
    const model = { url: 'http://h/v1', name: 'm', apiKey: 'secret' }
    const config = { model, numExamples: 20, collection: 'c' }
    const secrets = ['DATABASE_URL', 'PGPASSWORD', 'KEY']
    // The key is not in what adapters inherit.
    expect(demoRequest(argv, { KEY: ' secret\n', PATH: '/bin' })).toEqual({ do: 'run', config, environment: { PATH: '/bin' }, secrets })
  })

  test('for help is help', () => {
    expect(demoRequest(['--help'], {})).toEqual({ do: 'help' })
  })

  test.each([
    [['--model-url', 'http://h'], /go together/],
    [['--model-name', 'm'], /go together/],
    [['--api-key-env', 'KEY'], /needs --model-url/],
    [[...MODEL, '--api-key-env', 'UNSET'], /UNSET is not set/],
    [[...MODEL, '--api-key-env', 'EMPTY'], /EMPTY is not set/],
    [['--num-examples', '0'], /whole number/],
    [['--num-examples', '1.5'], /whole number/],
    [['--num-examples', '-3'], /num-examples/],
    [['--model-url', 'localhost:11434', '--model-name', 'm'], /http or https/],
    [['--model-url', 'http://u:hunter2@h', '--model-name', 'm'], /no user or password/],
    [['--model-url', 'http:///h', '--model-name', 'm'], /http or https/],
    [['--what'], /--what/],
    [['what'], /what/],
  ])('refuses %j and repeats no password', (argv, why) => {
    const request = demoRequest(argv, { EMPTY: ' ' })
    expect(request).toEqual({ do: 'refuse', why: expect.stringMatching(why) })
    expect(JSON.stringify(request)).not.toContain('hunter2')
  })
})

describe('terminalFrom', () => {
  test.each([
    [{ isTTY: true }, {}, { live: true, color: true }],
    [{ isTTY: true }, { NO_COLOR: '1' }, { live: true, color: false }],
    [{ isTTY: true }, { TERM: 'dumb' }, { live: false, color: false }],
    [{}, {}, { live: false, color: false }],
  ])('%j with %j: %j', (stream, env, terminal) => {
    expect(terminalFrom(stream, env)).toEqual(terminal)
  })
})
