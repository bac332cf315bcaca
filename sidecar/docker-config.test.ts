import { describe, expect, test } from 'vitest'
import { canonicalHost, credentialsFor } from './docker-config.ts'

const auth = (text: string) => ({ auth: Buffer.from(text).toString('base64') })

test.each([
  ['quay.io', 'quay.io'],
  ['HTTPS://Quay.IO/v2/', 'quay.io'],
  ['localhost:5000', 'localhost:5000'],
  ['https://index.docker.io/v1/', 'docker.io'],
  ['registry-1.docker.io', 'docker.io'],
])('%s is the host %s', (text, host) => {
  expect(canonicalHost(text)).toBe(host)
})

describe('credentialsFor', () => {
  const config = JSON.stringify({
    auths: {
      'quay.io': auth('all:1'),
      'quay.io/org': auth('org:2'),
      'https://index.docker.io/v1/': auth('hub:3:4'),
      'other.io': { username: 'u', password: 'p' },
      'empty.io': {},
    },
  })
  test.each([
    ['quay.io', 'x/y', 'all:1'],
    ['quay.io', 'org/y', 'org:2'],
    ['quay.io', 'organisation/y', 'all:1'],
    ['docker.io', 'library/x', 'hub:3:4'],
    ['OTHER.io', 'x', 'u:p'],
    ['empty.io', 'x', undefined],
    ['nowhere.io', 'x', undefined],
  ])('%s/%s: %s', (host, repository, expected) => {
    expect(credentialsFor(config, host, repository)).toBe(expected)
  })

  test.each(['', '{"auths":', '[]', '{}', '{"auths":null}'])('refuses %j and does not repeat it', (text) => {
    expect(() => credentialsFor(text, 'a', 'b')).toThrow(/^The Docker configuration of the registry is no JSON with auths$/)
  })
})
