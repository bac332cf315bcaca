import type { Setting } from './settings.ts'

type Program = {
  /** How it is started. */
  command: string
  /** What it does, in a sentence or two. */
  about: string
  settings: readonly Setting[]
  /** Pages that say more. */
  docs: readonly string[]
}

/** True if a program was asked what it is and what it reads. */
export const isHelpWanted = (argv: readonly string[]): boolean => argv.some((argument) => argument === '--help' || argument === '-h')

/** What `--help` prints: what the program is, a line for each of its settings, and where the documentation is. */
export const usageOf = ({ command, about, settings, docs }: Program): string => `Usage: ${command}

${about}

Settings, in the environment; or in a file by the name in brackets (config.yaml in EVAL_HUB_CONFIG_DIR, or the file CONFIG_PATH):

${settings.map((setting) => `  ${lineOf(setting)}`).join('\n')}

  -h, --help  prints this

Documentation: ${docs.join(', ')}
`

const lineOf = ({ name, aliases, path, description, fallback }: Setting) =>
  `${[name, ...aliases].join(', ')} (${path}): ${plain(description)}${fallback === undefined ? '' : ` (default ${fallback})`}`

/** Descriptions are written for a page: here a link is the name of its page. */
const plain = (description: string) => description.replace(/\[([^\]]*)\]\(([^)]*)\)/g, 'docs/$2')
