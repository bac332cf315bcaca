import { fileURLToPath } from 'node:url'

/** The catalogue that comes with this release. A built program finds it at the same place beside its own folder. */
export const SHIPPED_CATALOGUE = fileURLToPath(new URL('../catalogue', import.meta.url))
