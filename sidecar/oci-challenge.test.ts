import { expect, test } from 'vitest'
import { parseChallenges, type Challenge } from './oci-challenge.ts'

test.each<[string, Challenge[]]>([
  [
    'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push"',
    [
      {
        scheme: 'bearer',
        parameters: { realm: 'https://auth.docker.io/token', service: 'registry.docker.io', scope: 'repository:a/b:pull,push' },
      },
    ],
  ],
  ['Basic realm="a, b = \\"c\\""', [{ scheme: 'basic', parameters: { realm: 'a, b = "c"' } }]],
  [
    'Negotiate, BASIC realm=x , bearer Realm = "y"',
    [
      { scheme: 'basic', parameters: { realm: 'x' } },
      { scheme: 'bearer', parameters: { realm: 'y' } },
    ],
  ],
  ['Digest realm="a", nonce="b"', []],
  ['', []],
  ['=,"', []],
])('%s', (header, challenges) => {
  expect(parseChallenges(header)).toEqual(challenges)
})
