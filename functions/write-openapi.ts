import { writeFileSync } from 'node:fs'
import { openApiDocument } from './openapi.ts'

/** Writes the committed description; a test compares it with the code. */
writeFileSync(new URL('../docs/openapi.json', import.meta.url), `${JSON.stringify(openApiDocument(), null, 2)}\n`)
