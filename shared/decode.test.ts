import { describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { checkValue, decode, decodeValue, parseJson, spelled } from './decode.ts'
import { HubError } from './errors.ts'
import { CollectionConfig } from './models/collection.ts'
import { EvaluationJobConfig } from './models/evaluation.ts'
import { StatusEvent } from './models/event.ts'
import { Opaque } from './models/fields.ts'
import { ProviderConfig } from './models/provider.ts'

/** What `act` is refused with. */
function refusal(act: () => unknown): { code: string; message: string } {
  try {
    act()
  } catch (error) {
    if (error instanceof HubError) return { code: error.code, message: error.message }
    throw error
  }
  throw new Error('it was not refused')
}

const Thing = z.object({
  name: z.string().min(1),
  CPURequest: z.string().default(''),
  count: z.int().optional(),
  inner: z.object({ deep: z.string().optional() }).optional(),
  list: z.array(z.object({ id: z.string() })).optional(),
  opaque: z.record(z.string(), z.unknown()).optional(),
})

describe('decode', () => {
  test.each([
    ['keys in any case', '{"NAME":"a","Inner":{"DEEP":"b"},"List":[{"ID":"c"}]}', { name: 'a', inner: { deep: 'b' }, list: [{ id: 'c' }] }],
    ['snake_case for a key of capitals', '{"name":"a","cpu_request":"1"}', { name: 'a', CPURequest: '1' }],
    ['unknown keys as if they were not there', '{"name":"a","x":1,"inner":{"y":2}}', { name: 'a', inner: {} }],
    ['null as absent', '{"name":"a","count":null,"inner":null,"CPURequest":null}', { name: 'a' }],
    ['of two keys the last', '{"name":"a","name":"b","Name":"c"}', { name: 'c' }],
    [
      'an opaque object as it is',
      '{"name":"a","opaque":{"A_b":null,"a":{"C":[null]}}}',
      { name: 'a', opaque: { A_b: null, a: { C: [null] } } },
    ],
  ])('reads %s', (_, text, value) => {
    expect(decode(Thing, 'Thing', text)).toEqual({ CPURequest: '', ...value })
  })

  test('gives no object a prototype of the caller’s', () => {
    const value = decode(Thing, 'Thing', '{"name":"a","__proto__":{"count":1},"opaque":{"__proto__":{"polluted":1}}}')
    expect(value.count).toBeUndefined()
    expect(value.opaque?.polluted).toBeUndefined()
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
  })

  test.each([
    ['nothing', '', /the body is empty/],
    ['blanks', ' \n', /the body is empty/],
    ['half of it', '{"name":', /./],
    ['more than one', '{} {}', /./],
    ['NaN', '{"opaque":{"a":NaN}}', /./],
    ['a list', '[]', /the body: .*object/],
    ['text', '"a"', /the body: .*object/],
    ['a number for text', '{"name":7}', /name: .*string/],
    ['text for a number', '{"name":"a","count":"7"}', /count/],
    ['a fraction for an integer', '{"name":"a","count":1.5}', /count/],
    ['the wrong type deep within', '{"name":"a","list":[{"id":"b"},{"id":{}}]}', /list\[1\]\.id/],
    ['U+0000', '{"name":"a\\u0000"}', /U\+0000/],
    ['U+0000 in a key', '{"name":"a","opaque":{"\\u0000":1}}', /U\+0000/],
    ['half a surrogate pair', '{"name":"\\ud83d"}', /surrogate/],
    ['a number beyond 64 bits', '{"name":"a","opaque":{"big":1e999}}', /big: the number is too large/],
    ['the same in digits', `{"name":"a","opaque":{"big":-1${'0'.repeat(400)}}}`, /too large/],
    ['what lies too deep', `{"name":"a","opaque":{"a":${'['.repeat(2000)}${']'.repeat(2000)}}}`, /1000 deep/],
    ['what lies one level too deep', `{"name":"a","opaque":{"a":${'['.repeat(999)}${']'.repeat(999)}}}`, /1000 deep/],
  ])('refuses %s as no JSON of this route', (_, text, message) => {
    expect(refusal(() => decode(Thing, 'Thing', text))).toMatchObject({
      code: 'invalid_json_request',
      message: expect.stringMatching(message),
    })
  })

  test.each(['"\\\\u0000"', '"\\ud83d\\ude00"', '1e308', `"${'1'.repeat(400)}"`, '"1e999"', `${'['.repeat(1000)}${']'.repeat(1000)}`])(
    'takes %s, which only looks like that',
    (text) => {
      expect(parseJson(text)).toEqual(JSON.parse(text))
    },
  )

  // Guarantee: no body takes long to be read; of 300,000 members that nobody knows one took a second and a half.
  test('refuses more than 150,000 members, by their text', () => {
    const textOf = (count: number) => `{"text":"::\\":::","list":[{${'"\\u0061":0,'.repeat(count - 3)}"last":{}}]}`
    expect(parseJson(textOf(150_000))).toEqual({ text: '::":::', list: [{ a: 0, last: {} }] })
    const reads = vi.spyOn(JSON, 'parse')
    expect(refusal(() => parseJson(textOf(150_001)))).toEqual({
      code: 'invalid_json_request',
      message: expect.stringContaining('its objects have 150001 members, and at most 150000 are read'),
    })
    expect(reads).not.toHaveBeenCalled()
  })

  test.each([`[${'{"a":['.repeat(600)}`, `${'['.repeat(1000)}"["${']'.repeat(999)},[]]${'['.repeat(1001)}`])(
    'refuses what lies too deep before it is read: %#',
    (text) => {
      expect(refusal(() => parseJson(text)).message).toContain('more than 1000 deep')
    },
  )

  test.each([
    [
      'a list',
      { list: Array.from({ length: 4 }, () => ({ id: 'a' })) },
      /'Short\.list' .*'max' tag: it has 4 items, and at most 3 are taken'\. /,
    ],
    ['parameters', { parameters: { a: 1, b: 2, c: 3 } }, /'Short\.parameters' .*'max' tag: it has 3 items, and at most 2 are taken'\. /],
  ])('tells of %s that is too long how many items it has, and how many it may have', (_, body, message) => {
    const parameters = Opaque.refine((all) => Object.keys(all).length <= 2, { params: { tag: 'max', maximum: 2 } })
    const Short = z.object({
      list: z
        .array(z.object({ id: z.string() }))
        .max(3)
        .optional(),
      parameters: parameters.optional(),
    })
    expect(refusal(() => decodeValue(Short, 'Short', body)).message).toMatch(message)
  })

  test('tells of many failures the first, and how many there are besides', () => {
    const lines = refusal(() => decodeValue(Thing, 'Thing', { name: 'a', list: Array.from({ length: 5000 }, () => ({})) })).message.split(
      '\n',
    )
    expect(lines).toHaveLength(21)
    expect(lines.at(-1)).toBe("and 4980 more'. Please check the request and try again.")
  })

  test('of very many values of a wrong type tells the first, which stands for all', () => {
    const list = Array.from({ length: 40_000 }, (_, at) => ({ id: at < 20_000 ? 'a' : at }))
    expect(checkValue(Thing, { name: 'a', list })).toMatchObject({ success: false, issues: [{ path: ['list', 20_000, 'id'] }] })
    expect(refusal(() => decodeValue(Thing, 'Thing', { name: 'a', list })).message).toMatch(/list\[20000\]\.id: .*string/)
  })

  test('refuses lists that are too long together', () => {
    const Lists = z.object({ lists: z.array(z.array(z.string())) })
    const lists = Array.from({ length: 10 }, () => Array.from({ length: 6000 }, () => 'a'))
    const { code, message } = refusal(() => decodeValue(Lists, 'Lists', { lists }))
    expect([code, message]).toEqual(['request_validation_failed', expect.stringContaining('its lists have more than 50000 items together')])
  })

  test('null is an empty object, which then lacks what is required', () => {
    expect(refusal(() => decode(Thing, 'Thing', 'null'))).toEqual({
      code: 'request_validation_failed',
      message:
        "The request validation failed: 'Key: 'Thing.name' Error:Field validation for 'name' failed on the 'required' tag'. Please check the request and try again.",
    })
    expect(decode(ProviderConfig, 'ProviderConfig', 'null')).toMatchObject({ name: '', title: '' })
  })
})

const model = { url: 'http://h/v1', name: 'm' }
const benchmark = { id: 'b', provider_id: 'p' }
const job = (more: object) => ({ name: 'n', model, benchmarks: [benchmark], ...more })
const withData = (test_data_ref: object) => job({ benchmarks: [{ ...benchmark, test_data_ref }] })
const git = { url: 'https://github.com/a/b', ref: 'main' }
const long = (length: number) => 'x'.repeat(length)
const many = <Item>(length: number, item: Item): Item[] => Array.from({ length }, () => item)
const members = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, at) => [`p${at}`, at]))

describe('a job', () => {
  // Source: sections 1.4, 18 and 19 of the contract.
  test.each<[object, RegExp]>([
    [{ model, benchmarks: [benchmark] }, /'EvaluationJobConfig\.name' Error:Field validation for 'name' failed on the 'required' tag/],
    [job({ model: undefined }), /\.model' .*'required'/],
    [job({ model: { url: 'http://h' } }), /\.model\.name' .*'required'/],
    [job({ model: { ...model, url: 'nowhere' } }), /\.model\.url' .*'url' tag/],
    [job({ model: { ...model, url: '  ' } }), /'url' tag/],
    [
      job({ model: { ...model, url: 'javascript:alert(1)' } }),
      /failed: 'model\.url must name a place on a network, .* begins with javascript:'\. /,
    ],
    [job({ model: { ...model, url: 'file:///etc/passwd' } }), /failed: 'model\.url must name a place .* file:'\. /],
    [
      job({ model: { ...model, url: 'http://ann:pw@h/v1' } }),
      /failed: 'model\.url must hold no user name and no password, .*; name a Secret with its api-key in model\.auth\.secret_ref'\. /,
    ],
    [job({ model: { ...model, card_url: 'java\nscript:alert(1)' } }), /failed: 'model\.card_url must name a place/],
    [
      job({ exports: { oci: { coordinates: { oci_host: 'https://ann:pw@quay.io', oci_repository: 'r' } } } }),
      /oci_host must be a host such as/,
    ],
    [
      job({ exports: { oci: { coordinates: { oci_host: 'HTTP://quay.io', oci_repository: 'r' }, k8s: { connection: 'c' } } } }),
      /failed: 'exports\.oci: a registry with a connection gets its credentials over https only/,
    ],
    [
      job({ model: { ...model, url: `https://${'模'.repeat(263)}` } }),
      /failed: 'model\.url must have at most 8192 characters, and 262 for its host and port'\. /,
    ],
    [job({ model: { ...model, url: `https://h/${'p'.repeat(8192)}` } }), /\.model\.url' .*'max' tag'\. /],
    [job({ model: { ...model, url: 'localhost:8080/v1' } }), /model\.url must name a place .* begins with localhost:'\. /],
    [job({ model: { ...model, card_url: `https://${'模'.repeat(263)}` } }), /model\.card_url must have at most 8192/],
    [job({ exports: { oci: { coordinates: { oci_host: '模'.repeat(263), oci_repository: 'r' } } } }), /oci_host must be a host such as/],
    [
      job({ exports: { oci: { coordinates: { oci_host: 'h', oci_repository: '../../api' } } } }),
      /oci_repository must be lower-case letters/,
    ],
    [
      job({ exports: { oci: { coordinates: { oci_host: 'h', oci_repository: 'r', oci_tag: '../x' } } } }),
      /oci_tag must be 1 to 128 letters/,
    ],
    [withData({ git: { ...git, url: `https://${'模'.repeat(263)}` } }), /'http_url' tag'\. /],
    [withData({ git: { ...git, url: `https://github.com/${'p'.repeat(8192)}` } }), /'max' tag'\. /],
    [withData({ git: { ...git, url: 'https://token@github.com/a/b' } }), /git url must hold no user name and no password/],
    [job({ model: { ...model, auth: {} } }), /auth\.secret_ref' .*'required'/],
    [job({ benchmarks: [{ provider_id: 'p' }] }), /benchmarks\[0\]\.id' .*'required'/],
    [job({ benchmarks: [{ id: 'b' }] }), /benchmarks\[0\]\.provider_id' .*'required'/],
    [job({ benchmarks: [{ ...benchmark, weight: -1 }] }), /weight' .*'min' tag/],
    [job({ benchmarks: [{ ...benchmark, weight: 1e39 }] }), /weight' .*'max' tag/],
    [job({ benchmarks: [{ ...benchmark, primary_score: {} }] }), /metric' .*'required'/],
    [job({ benchmarks: [] }), /'benchmarks' failed on the 'minimum one benchmark' tag/],
    [job({ benchmarks: undefined }), /minimum one benchmark/],
    [job({ benchmarks: undefined, collection: { id: '' } }), /minimum one benchmark/],
    [job({ benchmarks: undefined, collection: { id: null } }), /minimum one benchmark/],
    [job({ collection: { id: 'c' } }), /'benchmarks' failed on the 'benchmarks or collection' tag/],
    [
      job({ benchmarks: undefined, collection: { id: 'c', benchmarks: [{ id: '', provider_id: 'p' }] } }),
      /collection\.benchmarks\[0\]\.id'/,
    ],
    [job({ pass_criteria: {} }), /threshold' .*'required'/],
    [job({ tags: ['ok', 'a|b'] }), /tags\[1\]' .*'tagname' tag/],
    [job({ tags: many(101, 't') }), /'tags' .*'max' tag: it has 101 items, and at most 100 are taken/],
    [job({ benchmarks: many(1001, benchmark) }), /'benchmarks' .*'max' tag: it has 1001 items, and at most 1000 are taken/],
    [
      job({ benchmarks: undefined, collection: { id: 'c', benchmarks: many(6000, benchmark) } }),
      /'EvaluationJobConfig\.collection\.benchmarks' .*'max' tag: it has 6000 items, and at most 1000 are taken/,
    ],
    [job({ benchmarks: [{ ...benchmark, parameters: members(1001) }] }), /parameters' .*'max' tag: it has 1001 items, and at most 1000/],
    [job({ model: { ...model, url: `http://h/${long(8200)}` } }), /'url' failed on the 'max' tag/],
    [job({ benchmarks: [{ ...benchmark, primary_score: { metric: long(1025) } }] }), /'metric' failed on the 'max' tag/],
    [job({ experiment: { name: ' ' } }), /experiment\.name' .*'notblank' tag/],
    [job({ experiment: { name: 'e', tags: Array.from({ length: 21 }, () => ({ key: 'k', value: 'v' })) } }), /'max' tag/],
    [job({ experiment: { name: 'e', tags: [{ key: long(251), value: 'v' }] } }), /key' .*'max' tag/],
    [job({ experiment: { name: 'e', tags: [{ key: 'k', value: '' }] } }), /value' .*'required' tag/],
    [job({ experiment: { name: 'e', tags: [{ key: 'k', value: long(5001) }] } }), /value' .*'max' tag/],
    [job({ exports: { oci: {} } }), /exports\.oci\.coordinates' .*'required'/],
    [job({ exports: { oci: { coordinates: { oci_repository: 'r' } } } }), /oci_host' .*'required'/],
    [job({ queue: { kind: 'slurm', name: 'q' } }), /failed: 'kind must be one of: kueue'\. /],
    [job({ queue: { kind: 'kueue' } }), /queue\.name' .*'required'/],
    [job({ queue: { name: 'a b' } }), /queue\.name' .*'rfc1123_dns_label' tag/],
    [job({ hardware_config: { hardware_profile_name: 'A' } }), /'rfc1123_dns_label' tag/],
    [
      job({ hardware_config: { hardware_profile_name: 'a', cpu: { limit: '1' } } }),
      /failed: 'hardware_config: hardware_profile_name cannot be combined with queue, cpu, memory, or gpu'\. /,
    ],
    [
      job({ hardware_config: { hardware_profile_name: 'a', ephemeral_storage: { limit: '1Gi' } } }),
      /failed: 'hardware_config: hardware_profile_name cannot be combined with ephemeral_storage'\. /,
    ],
    [withData({}), /test_data_ref: one of s3, pvc, git, or hf must be set'\. /],
    [withData({ git, pvc: { claim_name: 'c' } }), /test_data_ref: exactly one of s3, pvc, git, or hf must be set'\. /],
    [withData({ git, type: 'live' }), /type must be one of: data_set, pre_recorded_data'\. /],
    [withData({ s3: { bucket: 'b', key: 'k' } }), /secret_ref' .*'required'/],
    [withData({ pvc: { claim_name: long(64) } }), /'rfc1123_dns_label' tag/],
    [withData({ git: { ref: 'main' } }), /git\.url' .*'required'/],
    [withData({ git: { url: git.url } }), /git\.ref' .*'required'/],
    [withData({ git: { ...git, url: 'git@github.com:a/b' } }), /'http_url' tag/],
    [withData({ git: { ...git, url: 'https://db.svc/a' } }), /'git_clone_url' tag/],
    [withData({ git: { ...git, url: 'http://github.com/a/b', secret_ref: 's' } }), /git url with credentials must use https scheme'\. /],
    [withData({ hf: { repo_id: ' ' } }), /repo_id' .*'notblank'/],
  ])('%# is refused', (body, message) => {
    expect(refusal(() => decodeValue(EvaluationJobConfig, 'EvaluationJobConfig', body))).toMatchObject({
      code: 'request_validation_failed',
      message: expect.stringMatching(message),
    })
  })

  test('has all its failures in one answer, a line each', () => {
    const { message } = refusal(() => decodeValue(EvaluationJobConfig, 'EvaluationJobConfig', {}))
    expect(message.split('\n')).toHaveLength(3)
  })

  test.each([
    ['a threshold of 0', job({ pass_criteria: { threshold: 0 } }), { pass_criteria: { threshold: 0 } }],
    ['32-bit numbers', job({ pass_criteria: { threshold: 0.1 + 0.2 } }), { pass_criteria: { threshold: 0.3 } }],
    ['no model url', job({ model: { name: 'm' } }), { model: { name: 'm', url: '' } }],
    ['a queue without a kind', job({ queue: { kind: '', name: 'q' } }), { queue: { kind: 'kueue', name: 'q' } }],
    ['no kind of test data', withData({ git, type: '' }), { benchmarks: [{ test_data_ref: { git } }] }],
    [
      'a plain registry without a connection',
      job({ exports: { oci: { coordinates: { oci_host: 'http://r:5000', oci_repository: 'r' } } } }),
      { exports: { oci: { coordinates: { oci_host: 'http://r:5000' } } } },
    ],
    ['the same benchmark twice', job({ benchmarks: [benchmark, benchmark] }), { benchmarks: [benchmark, benchmark] }],
    ['keys of two words in any case', job({ benchmarks: [{ ID: 'b', Provider_ID: 'p' }] }), { benchmarks: [benchmark] }],
    ['null in parameters', job({ benchmarks: [{ ...benchmark, parameters: { a: null } }] }), { benchmarks: [{ parameters: { a: null } }] }],
  ])('with %s is taken', (_, body, value) => {
    expect(decodeValue(EvaluationJobConfig, 'EvaluationJobConfig', body)).toMatchObject(value)
  })
})

describe('an event', () => {
  const event = (more: object) => ({ benchmark_status_event: { provider_id: 'p', id: 'b', status: 'running', ...more } })
  // Source: sections 3.1 and 9.2 of the contract.
  test.each<[object, RegExp]>([
    [{}, /benchmark_status_event' .*'required'/],
    [event({ provider_id: undefined }), /provider_id' .*'required'/],
    [event({ status: 'cancelled' }), /status must be one of: pending, running, completed, failed'\. /],
    [event({ phase: 'thinking' }), /phase must be one of: initializing, loading_data,/],
    [event({ error_message: { message: 'a' } }), /message_code' .*'required'/],
    [event({ metrics: { a: 1 }, metrics_schema: [{ name: 'a', type: 'odd' }] }), /type must be one of: numeric/],
    [
      event({
        metrics: { a: 1 },
        metrics_schema: [
          { name: 'a', type: 'numeric' },
          { name: 'a', type: 'numeric' },
        ],
      }),
      /'metrics_schema_duplicate_name' tag/,
    ],
    [event({ metrics_schema: [{ name: 'a', type: 'numeric' }] }), /'metrics_schema_name_not_in_metrics' tag/],
    [event({ started_at: 'yesterday' }), /started_at'/],
    [event({ started_at: '2026-11-23' }), /started_at'/],
    [event({ progress: 1.1 }), /progress' .*'max' tag/],
  ])('%j is refused', (body, message) => {
    expect(refusal(() => decodeValue(StatusEvent, 'StatusEvent', body))).toMatchObject({
      code: 'request_validation_failed',
      message: expect.stringMatching(message),
    })
  })

  test('takes an empty phase and time as none', () => {
    const empty = { phase: '', started_at: '', completed_at: '' }
    const { benchmark_status_event: read } = decodeValue(StatusEvent, 'StatusEvent', event(empty))
    expect(read).toEqual({ provider_id: 'p', id: 'b', benchmark_index: 0, status: 'running' })
  })

  test('with kinds of more than 10,000 metrics is refused', () => {
    const body = event({ metrics: {}, metrics_schema: many(10_001, { name: 'a', type: 'numeric' }) })
    expect(refusal(() => decodeValue(StatusEvent, 'StatusEvent', body)).message).toContain(
      'it has 10001 items, and at most 10000 are taken',
    )
  })

  test.each(['2026-11-23T10:00:00Z', '2026-11-23T10:00:00.123456789Z', '2026-11-23T10:00:00.5+05:30'])(
    'keeps the time %s as it is',
    (at) => {
      const { benchmark_status_event: read } = decodeValue(StatusEvent, 'StatusEvent', event({ started_at: at }))
      expect(read).toMatchObject({ started_at: at, benchmark_index: 0 })
    },
  )
})

describe('providers and collections', () => {
  const collection = { name: 'n', category: 'c', benchmarks: [benchmark] }
  // Source: sections 5.1, 6.1 and 18 of the contract.
  test.each<[z.ZodType, object, RegExp]>([
    [ProviderConfig, { description: long(1025) }, /description' .*'max' tag/],
    [ProviderConfig, { tags: [''] }, /'tagname' tag/],
    [ProviderConfig, { benchmarks: many(10_001, {}) }, /it has 10001 items, and at most 10000 are taken/],
    [CollectionConfig, { ...collection, domains: many(101, 'd') }, /it has 101 items, and at most 100 are taken/],
    [CollectionConfig, { ...collection, benchmarks: many(1001, benchmark) }, /it has 1001 items, and at most 1000 are taken/],
    [ProviderConfig, { runtime: { k8s: { Env: many(1001, { Name: 'A' }) } } }, /it has 1001 items, and at most 1000 are taken/],
    [ProviderConfig, { runtime: { k8s: { Entrypoint: many(1001, 'a') } } }, /it has 1001 items, and at most 1000 are taken/],
    [ProviderConfig, { runtime: { local: { env: many(1001, { Name: 'A' }) } } }, /it has 1001 items, and at most 1000 are taken/],
    [ProviderConfig, { benchmarks: [{ id: long(513) }] }, /id' .*'max' tag/],
    [ProviderConfig, { benchmarks: [{ url: ' JavaScript:x' }] }, /failed: 'url of a benchmark must name a place on a network/],
    [ProviderConfig, { benchmarks: [{ url: 'https://ann:pw@h/docs' }] }, /failed: 'url of a benchmark must hold no user name/],
    [ProviderConfig, { agent: { target_type: 'robot' } }, /target_type must be one of: model, agent, inference_server'\. /],
    [ProviderConfig, { agent: { summary: long(201) } }, /summary' .*'max' tag/],
    [ProviderConfig, { benchmarks: [{ agent: { score_ranges: [{ range: '0-1' }] } }] }, /meaning' .*'required'/],
    [ProviderConfig, { benchmarks: [{ agent: { score_ranges: [{ meaning: 'm' }] } }] }, /range' .*'required'/],
    [ProviderConfig, { runtime: { k8s: { image_pull_policy: 'never' } } }, /image_pull_policy must be one of/],
    [CollectionConfig, { ...collection, name: '' }, /name' .*'required'/],
    [CollectionConfig, { ...collection, category: long(129) }, /category' .*'max' tag/],
    [CollectionConfig, { ...collection, benchmarks: [] }, /benchmarks' .*'min' tag/],
    [CollectionConfig, { ...collection, benchmarks: undefined }, /benchmarks' .*'required'/],
    [CollectionConfig, { ...collection, benchmarks: [{ id: 'b' }] }, /provider_id' .*'required'/],
  ])('%# are refused', (schema, body, message) => {
    expect(refusal(() => decodeValue(schema, 'It', body))).toMatchObject({
      code: 'request_validation_failed',
      message: expect.stringMatching(message),
    })
  })

  test('read both spellings of the runtime', () => {
    const read = (k8s: object) => decodeValue(ProviderConfig, 'ProviderConfig', { runtime: { k8s } }).runtime?.k8s
    const snake = { image: 'i', entrypoint: ['e'], cpu_request: '1', memory_limit: '2Gi', env: [{ name: 'N', value: 'v' }] }
    const pascal = { Image: 'i', Entrypoint: ['e'], CPURequest: '1', MemoryLimit: '2Gi', Env: [{ Name: 'N', Value: 'v' }] }
    expect(read(snake)).toMatchObject(pascal)
    expect(read(pascal)).toEqual(read(snake))
  })
})

test('a key that is longer than any name is left out as it is', () => {
  const lower = vi.spyOn(String.prototype, 'toLowerCase')
  expect(spelled({ name: null }, { ['N'.repeat(1_000_000)]: 1, NAME: 2 })).toEqual({ name: 2 })
  expect(lower.mock.contexts.every((text) => String(text).length < 1000)).toBe(true)
  lower.mockRestore()
})
