import { expect, test } from 'vitest'
import { routeUrl, shownUrl } from './model-url.ts'

test.each([
  ['http://localhost:11434/v1', 'http://localhost:11434/v1/chat/completions'],
  ['http://localhost:11434/v1/', 'http://localhost:11434/v1/chat/completions'],
  ['https://host', 'https://host/chat/completions'],
  ['https://host/v1/chat/completions', 'https://host/v1/chat/completions'],
  ['https://host/v1/completions', 'https://host/v1/chat/completions'],
  ['https://host/deploy?api-version=1', 'https://host/deploy/chat/completions?api-version=1'],
])('the chat route of %s is %s', (base, route) => {
  expect(routeUrl(base, 'chat').href).toBe(route)
})

test.each([
  ['', 'model.url is empty; a model is needed.'],
  ['localhost', 'model.url is not a URL.'],
  ['file:///etc/passwd', 'model.url begins with file:; allowed: http: and https:.'],
])('%j is refused', (base, message) => {
  expect(() => routeUrl(base, 'chat')).toThrow(message)
})

test('a URL is shown without user, password and query', () => {
  expect(shownUrl(routeUrl('https://user:secret@host/v1?key=secret', 'chat'))).toBe('https://host/v1/chat/completions')
})

// It took minutes: a search that began anew at each slash.
test('a path of many slashes is read at once', () => {
  expect(routeUrl(`http://host/${'/'.repeat(500_000)}v1//`, 'chat').pathname).toMatch(/\/v1\/chat\/completions$/)
})
