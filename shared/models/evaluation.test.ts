import { expect, test } from 'vitest'
import { decodeValue } from '../decode.ts'
import { HubError } from '../errors.ts'
import { EvaluationJobConfig } from './evaluation.ts'

/** What a job with these members is refused with; undefined if it is taken. */
function refusal(more: object): string | undefined {
  const job = { name: 'n', model: { url: 'http://h/v1', name: 'm' }, benchmarks: [{ id: 'b', provider_id: 'p' }], ...more }
  try {
    decodeValue(EvaluationJobConfig, 'EvaluationJobConfig', job)
    return undefined
  } catch (error) {
    if (error instanceof HubError) return error.message
    throw error
  }
}

const withModel = (url: string) => refusal({ model: { url, name: 'm' } })
const withExport = (more: object) => refusal({ exports: { oci: { coordinates: { oci_host: 'quay.io', oci_repository: 'r', ...more } } } })

test.each(['', 'http://h', 'HTTPS://h:8443/v1?a=@b', 'http://0.0.0.0:8000', 'http://[::1]:11434/v1', 'https://h/v1 '])(
  'a model at %j is taken',
  (url) => {
    expect(withModel(url)).toBeUndefined()
  },
)

test.each([
  'nowhere',
  ' ',
  'ws://x',
  'grpc://h:1',
  'http:x',
  'http:/x',
  'http:///x',
  'http:\\\\x',
  'http://:80/',
  'http://x\n',
  ' http://x',
])('a model at %j is refused, and what is expected is said', (url) => {
  expect(withModel(url)).toMatch(
    /'EvaluationJobConfig\.model\.url' .* on the 'url' tag: it must be an http or https URL with a host, such as https:\/\/host\/v1'\. /,
  )
})

test.each(['http://@x/', 'http://:@x/', 'http:@x', 'http://ann@x'])('a model at %j is refused: it names a user', (url) => {
  expect(withModel(url)).toMatch(/failed: 'model\.url must hold no user name and no password, .*secret_ref'\. /)
})

test.each([
  { oci_host: 'Quay.io' },
  { oci_host: 'http://10.0.0.7:5000' },
  { oci_host: 'https://index.docker.io/v1/' },
  { oci_repository: 'a/b.c/d__e/f---g/0' },
  { oci_tag: '_v1.2-RC' },
  { oci_tag: '' },
])('an export to %j is taken', (more) => {
  expect(withExport(more)).toBeUndefined()
})

test('an export to an address that no run may reach is refused', () => {
  expect(withExport({ oci_host: '169.254.169.254' })).toMatch(
    /failed: 'exports\.oci\.coordinates\.oci_host leads to 169\.254\.169\.254, a cloud's metadata service/,
  )
})

test.each(['r/../x', '../x', 'r/./x', 'r//x', '/r', 'r/', 'R', 'r/%2e%2e/x', 'r..x', 'r\\x', 'r?x', 'r:x', 'r\n', '-r', 'r_'])(
  'an export to the repository %j is refused',
  (oci_repository) => {
    expect(withExport({ oci_repository })).toMatch(/oci_repository must be lower-case letters and digits/)
  },
)

test.each(['v/1', '.v', '-v', 'v:1', 'v\n', '../v', 'v'.repeat(129)])('an export by the tag %j is refused', (oci_tag) => {
  expect(withExport({ oci_tag })).toMatch(/oci_tag must be 1 to 128 letters/)
})
