import { ApiException } from '@kubernetes/client-node'
import { describe, expect, test } from 'vitest'
import { answerOf, explained, verdictOn, type ApiAnswer } from './api-answer.ts'

const answer = (code: number, message: string, rest: Partial<ApiAnswer> = {}): ApiAnswer => ({
  code,
  reason: '',
  message,
  causes: [],
  ...rest,
})

describe('verdictOn', () => {
  test.each<[ApiAnswer, unknown]>([
    [answer(409, 'jobs.batch "a" already exists', { reason: 'AlreadyExists' }), 'exists'],
    [answer(409, 'Operation cannot be fulfilled on resourcequotas "q"', { reason: 'Conflict' }), 'again'],
    [answer(429, 'too many requests'), 'again'],
    [answer(429, 'admission webhook "w" denied the request: later'), 'again'],
    [answer(500, 'etcdserver: leader changed'), 'again'],
    [answer(503, 'shutting down'), 'again'],
    [answer(401, 'Unauthorized'), 'again'],
    [answer(404, 'the server could not find the requested resource'), 'again'],
    [answer(404, 'namespaces "t" not found'), { obstacle: 'missing_config' }],
    [answer(403, 'it is being terminated', { causes: ['NamespaceTerminating'] }), { obstacle: 'missing_config' }],
    [answer(403, 'exceeded quota: q, requested: count/jobs.batch=1, used: 5, limited: 5'), { obstacle: 'quota' }],
    [answer(403, 'status unknown for quota: q, resources: count/jobs.batch'), { obstacle: 'quota' }],
    [answer(403, 'User "u" cannot create resource "jobs" in API group "batch"'), { obstacle: 'missing_config' }],
    [answer(403, 'admission webhook "w" denied the request: no'), { refused: 'rejected' }],
    [answer(403, 'some other plugin says no'), { refused: 'rejected' }],
    [answer(500, 'Internal error occurred: failed calling webhook "w": refused'), { obstacle: 'rejected' }],
    [answer(400, 'admission webhook "w" denied the request: no'), { refused: 'rejected' }],
    [answer(413, 'Request entity too large'), { refused: 'rejected' }],
    [answer(422, 'Job.batch "a" is invalid: spec'), { refused: 'rejected' }],
  ])('%j', (given, expected) => {
    const verdict = verdictOn(given, 'Job', 't')

    if (typeof verdict === 'string') return expect(verdict).toBe(expected)
    const [[outcome, end] = []] = Object.entries(verdict)
    expect({ [outcome ?? '']: end?.failureClass }).toEqual(expected)
  })

  test('repeats the words of Kubernetes', () => {
    expect(verdictOn(answer(422, 'spec.x: Invalid value'), 'Job', 't')).toEqual({
      refused: { failureClass: 'rejected', message: 'Kubernetes rejected the Job: spec.x: Invalid value' },
    })
  })
})

describe('answerOf', () => {
  test('reads the status that Kubernetes sends', () => {
    const body = JSON.stringify({
      kind: 'Status',
      reason: 'Forbidden',
      message: 'no',
      details: { causes: [{ reason: 'NamespaceTerminating' }] },
    })

    expect(answerOf(new ApiException(403, '', body, {}))).toEqual({
      code: 403,
      reason: 'Forbidden',
      message: 'no',
      causes: ['NamespaceTerminating'],
    })
  })

  test.each([
    ['<html>gateway</html>', '<html>gateway</html>'],
    [undefined, ''],
    ['"text"', '"text"'],
  ])('takes the body %j of something else for the message', (body, message) => {
    expect(answerOf(new ApiException(502, '', body, {}))).toEqual({ code: 502, reason: '', message, causes: [] })
  })

  test('cuts what is long', () => {
    expect(answerOf(new ApiException(422, '', JSON.stringify({ message: 'x'.repeat(5000) }), {}))?.message).toHaveLength(1500)
  })

  test('knows that an error of the connection is no answer', () => {
    expect(answerOf(new TypeError('fetch failed'))).toBeUndefined()
  })
})

describe('explained', () => {
  test.each<[unknown, string]>([
    [new ApiException(500, '', JSON.stringify({ message: 'etcd' }), { secret: 'header' }), 'Kubernetes answered 500: etcd'],
    [new ApiException(401, 'Unauthorized', undefined, {}), 'Kubernetes answered 401'],
    [
      Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:1'), { code: 'ECONNREFUSED' }),
      'Kubernetes cannot be reached: connect ECONNREFUSED 127.0.0.1:1',
    ],
    [new DOMException('aborted', 'TimeoutError'), 'Kubernetes did not answer in time'],
    [new Error('else'), 'else'],
    ['text', 'text'],
  ])('says %s in one line', (error, expected) => {
    expect(explained(error).message).toBe(expected)
  })
})
