import type { Listed, Slice } from '#db/queries/filters.ts'
import type { Page } from '#shared/models/page.ts'

/** The wire's page: links are relative, `first` is the request as it came, `next` has its parameters sorted. */
export function toPage<Item>(url: string, { limit, offset }: Slice, { items, total }: Listed<Item>): Page<Item> {
  const { pathname, search, searchParams } = new URL(url)
  const end = offset + limit
  const next = new URLSearchParams(searchParams)
  next.set('offset', String(end))
  next.sort()
  return {
    first: { href: pathname + search },
    ...(end < total && limit > 0 && { next: { href: `${pathname}?${next}` } }),
    limit,
    total_count: total,
    items,
  }
}
