import { afterEach, expect, test, vi } from 'vitest'
import { holdsUser, parseHttpUrl, parseUrl, registryHostProblem, urlProblem } from './url-problem.ts'

afterEach(() => void vi.restoreAllMocks())

test.each([
  'http://h/v1',
  'https://h:8443/v1?a=@b#c',
  'HTTP://h',
  'http://[::1]:11434/v1',
  'grpc://h:1',
  'hf://org/model',
  'http://h/a@b',
  'card.md',
  '',
  'file',
])('%j may be kept', (url) => {
  expect(urlProblem(url)).toBeUndefined()
})

test.each([
  'javascript:alert(1)',
  'JavaScript://h/%0aalert(1)',
  ' javascript:alert(1)',
  'java\nscript:alert(1)',
  'java\tscript:alert(1)',
  '\u0001javascript:alert(1)',
  'vbscript:x',
  'data:text/html,x',
  'file:///etc/passwd',
  'file:etc',
  'FILE://h/share',
  'filesystem:http://h/x',
  'blob:http://h/x',
  'about:blank',
  'view-source:javascript:x',
  'jar:file:///x',
  'ftp://h/x',
  'ssh://h/x',
  'ldap://h/x',
  'gopher://h/x',
  'dict://h:11211/x',
  'intent://h#Intent;end',
  'ms-msdt:/id',
  'localhost:8080/v1',
])('%j may not: it begins with what no server has', (url) => {
  expect(urlProblem(url)).toMatch(/^must name a place on a network, .* begins with [a-z-]+:$/)
})

test.each([
  'http://ann:secret@h/v1',
  'https://token@h',
  'http://:secret@h',
  'http:\\\\ann:secret@h',
  'http:ann:secret@h',
  ' http://ann:se\ncret@h',
  'grpc://ann:secret@h',
  'http://@h/v1',
  'http://:@h/v1',
  'HTTP:\\\\@h',
])('%j may not: it names a user, who is not repeated', (url) => {
  expect(urlProblem(url)).toMatch(/^must hold no user name/)
  expect(urlProblem(url)).not.toMatch(/secret|token/)
})

test.each([
  ['http://h/v1', 'http://h/v1'],
  ['HTTPS://H', 'https://h/'],
  ['http://[::1]:11434/v1?a=b c#d', 'http://[::1]:11434/v1?a=b%20c#d'],
  ['http://0.0.0.0:8000?@x', 'http://0.0.0.0:8000/?@x'],
  ['https://模型.example/模', 'https://xn--xgs754b.example/%E6%A8%A1'],
  ['http://h/a\\b', 'http://h/a/b'],
])('%j is an http or https URL', (text, href) => {
  expect(parseHttpUrl(text)?.href).toBe(href)
})

test.each([
  'ws://h',
  'grpc://h:1',
  'local://m',
  '//h/v1',
  'http:h',
  'http:/h',
  'http:///h',
  'http://',
  'http://:80/',
  'http:?h',
  'http:\\\\h',
  'http:/\\h/v1',
  'http://h\\@evil',
  ' http://h',
  'http://h ',
  'http://h\n/v1',
  'ht\ntp://h',
  'http://h/v\n1',
  'http://h/v1\t',
  'http://h|i',
  'http://h:99999',
  '',
])('%j is none, or not the same to everybody', (text) => {
  expect(parseHttpUrl(text)).toBeUndefined()
})

test.each([
  ['quay.io', true],
  ['h', true],
  [' Quay.io ', true],
  ['https://Quay.io/', true],
  ['http://localhost:5000', true],
  ['registry.example:443/team', true],
  ['[::1]:5000', true],
  ['10.0.0.7:5000', true],
  ['http://ann:secret@quay.io', false],
  ['ann@quay.io', false],
  ['https://quay.io@evil.example', false],
  ['quay.io/@evil', false],
  ['quay.io\\@evil.example', false],
  ['quay.io?x', false],
  ['quay.io#x', false],
  ['quay.io:x', false],
  ['quay.io:99999', false],
  ['quay .io', false],
  ['quay.io\nevil', false],
  ['ftp://quay.io', false],
  ['file:///etc', false],
  ['file:/etc', false],
  ['javascript:alert(1)', false],
  ['https://', false],
  ['http://http://quay.io', false],
  ['[::1', false],
  ['1.2.3.4.5', false],
  ['', false],
] as const)('%j is the host of a registry: %s', (text, isOne) => {
  if (isOne) expect(registryHostProblem(text)).toBeUndefined()
  else expect(registryHostProblem(text)).toMatch(/^must be a host such as quay\.io/)
})

test.each([
  ['169.254.169.254', "leads to 169.254.169.254, a cloud's metadata service, which no run may reach"],
  ['http://169.254.169.254:80/latest', "leads to 169.254.169.254, a cloud's metadata service, which no run may reach"],
  ['169.254.169.254.', /metadata/],
  ['0xa9fea9fe', /leads to 169\.254\.169\.254/],
  ['169.254.43518', /metadata/],
  ['169.254.169%2E254', /metadata/],
  ['１６９.254.169.254', /metadata/],
  ['[::ffff:169.254.169.254]:443', /metadata/],
  ['[64:ff9b::a9fe:a9fe]', /metadata/],
  ['[fd00:ec2::254]', /metadata/],
  ['100.100.100.200', /metadata/],
  ['169.254.1.1', /an address of the link alone/],
  ['[fe80::1]', /an address of the link alone/],
  ['0.0.0.0:5000', /no particular address/],
  ['0', /no particular address/],
  ['[::]', /no particular address/],
  ['224.0.0.1', /a multicast address/],
])('no registry is at %j, where no connection is made to', (host, problem) => {
  expect(registryHostProblem(host)).toMatch(problem)
})

// Guarantee: no URL takes long to read. Node takes a second and more for a host of ten thousand Chinese letters.
test.each([
  ['Chinese letters', (host: string) => `https://${host}/v1`],
  ['what readers pass over', (host: string) => `\u0001 h\nt\ttps:\\\\\n${host}?x`],
  ['no slashes', (host: string) => `https:${host}#x`],
  ['a user', (host: string) => `https://ann:${'@'.repeat(3)}@${host}`],
  ['a port', (host: string) => `wss://${host}:8080`],
] as const)('a URL with a long host is refused before it is read: %s', (_, make) => {
  const reads = [vi.spyOn(URL, 'parse'), vi.spyOn(URL, 'canParse')]
  for (const url of [make('模'.repeat(263)), make('%E6%A8%A1'.repeat(88)), make('h'.repeat(9000))]) {
    expect(urlProblem(url)).toBe('must have at most 8192 characters, and 262 for its host and port')
    expect(parseUrl(url)).toBeUndefined()
    expect(parseHttpUrl(url)).toBeUndefined()
    expect(holdsUser(url)).toBe(false)
  }
  expect(registryHostProblem('模'.repeat(263))).toMatch(/^must be a host/)
  for (const read of reads) expect(read).not.toHaveBeenCalled()
})

test.each([
  ['//', '?x'],
  ['\u0001 /\t\\', '/v1'],
  ['http:', ''],
  ['http:/', '#x'],
] as const)('nor is one that leads on from another: %j', (before, after) => {
  const base = new URL('http://base/a/')
  const read = vi.spyOn(URL, 'parse')
  expect(parseUrl(`${before}${'模'.repeat(263)}${after}`, base)).toBeUndefined()
  expect(read).not.toHaveBeenCalled()
  expect(parseUrl(`${before}h${after}`, base)?.protocol).toBe('http:')
})

test('a long path may lead on from another URL', () => {
  const path = `blobs/uploads/${'模'.repeat(1000)}?_state=//${'s'.repeat(1000)}`
  expect(parseUrl(path, new URL('http://base/v2/a/'))?.host).toBe('base')
  expect(parseUrl(`/${path}`, new URL('http://base/v2/a/'))?.pathname).toMatch(/^\/blobs/)
})

test.each([`https://${'h'.repeat(63)}.example/${'p'.repeat(8000)}`, 'https://模型.example/v1', `https://h/?${'@模'.repeat(1000)}`])(
  'a long path, and a host of other letters, may be kept',
  (url) => {
    expect(urlProblem(url)).toBeUndefined()
    expect(parseUrl(url)?.protocol).toBe('https:')
  },
)
