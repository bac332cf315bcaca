import journal from './migrations/meta/_journal.json' with { type: 'json' }

/** The migrations of this release, in their order. A part of the program: not everything that asks for them has files. */
export const MIGRATIONS: readonly string[] = journal.entries.map(({ tag }) => tag)
