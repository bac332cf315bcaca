import { describe, expect, test } from 'vitest'
import { toPage } from './page.ts'

const URL_OF_LIST = 'http://hub:8080/api/v1/evaluations/jobs'
const page = (query: string, limit: number, offset: number, total: number) =>
  toPage(URL_OF_LIST + query, { limit, offset }, { items: ['a'], total })

describe('toPage', () => {
  // Source: section 7 of the contract. `limit=0` asks for all, so nothing follows.
  test.each<[string, number, number, number, string | undefined]>([
    ['', 50, 0, 51, '?offset=50'],
    ['?limit=2', 2, 0, 5, '?limit=2&offset=2'],
    ['?offset=2&limit=2', 2, 2, 5, '?limit=2&offset=4'],
    ['?tags=a%7Cb&limit=1&name=x%20y', 1, 0, 2, '?limit=1&name=x+y&offset=1&tags=a%7Cb'],
    ['?tags=b&limit=1&tags=a', 1, 0, 2, '?limit=1&offset=1&tags=b&tags=a'],
    ['?limit=2&offset=4', 2, 4, 5, undefined],
    ['?limit=5', 5, 0, 5, undefined],
    ['?limit=0', 0, 0, 5, undefined],
  ])('of %j with limit %i, offset %i and %i in all is followed by %j', (query, limit, offset, total, next) => {
    expect(page(query, limit, offset, total).next?.href).toBe(next && `/api/v1/evaluations/jobs${next}`)
  })

  test('links to the request as it came, without the host', () => {
    expect(page('?offset=2&limit=2&tags=a%7cb', 2, 2, 9).first.href).toBe('/api/v1/evaluations/jobs?offset=2&limit=2&tags=a%7cb')
  })

  test('has the keys in the order of the contract, and no next where there is none', () => {
    expect(Object.keys(page('', 50, 0, 51))).toEqual(['first', 'next', 'limit', 'total_count', 'items'])
    expect(Object.keys(page('', 50, 0, 1))).toEqual(['first', 'limit', 'total_count', 'items'])
  })
})
