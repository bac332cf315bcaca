import manifest from '../package.json' with { type: 'json' }

/** This release, `major.minor.patch`. */
export const RELEASE: string = manifest.version
