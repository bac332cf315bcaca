import { describe, test } from 'vitest'
import { test as onRunsServer } from '#db/test-db.ts'
import { describeApi } from './describe-api.ts'
import { apiOf, onEmbedded, serveOnNode } from './served.ts'

const embedded = apiOf(onEmbedded, serveOnNode)
const external = apiOf(onRunsServer, serveOnNode)

describe('the API on Node with the embedded PostgreSQL', () => {
  describeApi(embedded)
})

describe('the API on Node with an external PostgreSQL', () => {
  // oxlint-disable-next-line vitest/no-conditional-tests -- one reason is printed rather than every test as skipped
  if (process.env.TEST_DATABASE_URL !== undefined) describeApi(external)
  // oxlint-disable-next-line vitest/expect-expect -- it only says that it was skipped
  else test('is asked', ({ skip }) => skip('TEST_DATABASE_URL names no server on which databases may be created'))
})
