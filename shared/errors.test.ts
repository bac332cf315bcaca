import { describe, expect, test } from 'vitest'
import { HubError, notFound, statusOf, type ErrorCode } from './errors.ts'

describe('HubError', () => {
  // Source: section 2 of the contract, and the texts of its section 19.
  test.each<[HubError, number, string]>([
    [notFound('provider', 'p'), 404, "The provider resource 'p' was not found."],
    [
      HubError.of('unallowed_patch', { Operation: 'remove', Path: '/name' }),
      400,
      "The operation 'remove' is not allowed for the path '/name'.",
    ],
    [
      HubError.of('invalid_patch_operation', { Operation: 'move', AllowedOperations: 'replace, add, remove' }),
      400,
      "The patch operation 'move' is not valid. Allowed operations are: replace, add, remove.",
    ],
    [HubError.of('read_only_provider', { ProviderID: 'p' }), 400, "Provider 'p' cannot be modified or deleted."],
    [HubError.of('read_only_collection', { CollectionID: 'c' }), 400, "Collection 'c' cannot be modified or deleted."],
    [
      HubError.of('job_can_not_be_updated', { Id: '1', NewStatus: 'cancelled', Status: 'completed' }),
      409,
      "The job 1 can not be cancelled because it is 'completed'.",
    ],
    [
      HubError.of('query_parameter_invalid', { ParameterName: 'limit', Type: 'integer', Value: 'x' }),
      400,
      "The query parameter 'limit' is not a valid integer: 'x'.",
    ],
    [HubError.of('request_body_too_large', { Limit: '7' }), 413, 'The request body exceeds the maximum allowed size of 7 bytes.'],
  ])('%s', (error, status, message) => {
    expect([statusOf(error.code), error.message]).toEqual([status, message])
  })

  test('takes what a caller sends as it is, placeholders and replacement patterns included', () => {
    expect(notFound('provider', "{Type} $& $' $1").message).toBe("The provider resource '{Type} $& $' $1' was not found.")
  })

  test('shows of a long text the beginning, and how long it is', () => {
    const { message } = notFound('provider', '😀'.repeat(1_000_000))
    expect(message.length).toBeLessThan(5000)
    expect(message).toMatch(/^The provider resource '😀😀.*… \(2000000 characters\)' was not found\.$/u)
  })

  test('keeps what only operators may know apart', () => {
    const cause = new Error('password authentication failed')
    const error = HubError.of('unavailable', { Error: 'no database.' }, cause)
    expect(error.message).not.toContain('password')
    expect(error.cause).toBe(cause)
  })

  test.each<[ErrorCode, number]>([
    ['resource_does_not_exist', 400],
    ['method_not_allowed', 405],
    ['idempotency_key_reused', 409],
    ['internal_server_error', 500],
    ['unavailable', 503],
  ])('%s is answered with %i', (code, status) => {
    expect(statusOf(code)).toBe(status)
  })
})
