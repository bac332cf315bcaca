import { visible } from '#shared/domain/visible-text.ts'

const linesMax = 20
const textMax = 4096

/** Terminal sequences, and control characters other than tab and newline. */
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const UNPRINTABLE = /\u001b\[[0-?]*[ -/]*[@-~]|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g

/** The end of what a program wrote as a message can show it: 20 lines and 4 KiB at most, without what moves a terminal, and with what else is not seen made visible. */
export function lastLines(output: string): string {
  const lines = output.replaceAll('\r\n', '\n').replaceAll('\r', '\n').replaceAll(UNPRINTABLE, '').trimEnd().split('\n')
  // Half a surrogate pair, where the cut goes through one, could not be stored.
  return visible(lines.slice(-linesMax).join('\n')).slice(-textMax).toWellFormed()
}

/** A sentence about a program's end, with the last lines of what it wrote. */
export function withLastLines(message: string, output: string): string {
  const lines = lastLines(output)
  return lines ? `${message} Its last lines:\n${lines}` : `${message} It wrote nothing.`
}
