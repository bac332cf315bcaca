import { expect, test } from 'vitest'
import { isRegistryHost, urlProblem } from './url-problem.ts'

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
])('%j may not: it holds a secret, which is not repeated', (url) => {
  expect(urlProblem(url)).toMatch(/^must hold no user name/)
  expect(urlProblem(url)).not.toMatch(/secret|token/)
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
  expect(isRegistryHost(text)).toBe(isOne)
})
