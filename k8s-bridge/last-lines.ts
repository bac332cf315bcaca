const linesMax = 20
const textMax = 4096

/** Terminal sequences, and control characters other than tab and newline. */
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const UNPRINTABLE = /\u001b\[[0-?]*[ -/]*[@-~]|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g

/** The end of what a program wrote as a message can show it: 20 lines and 4 KiB at most, without what moves a terminal. */
export function lastLines(output: string): string {
  const lines = output.replaceAll('\r\n', '\n').replaceAll('\r', '\n').replaceAll(UNPRINTABLE, '').trimEnd().split('\n')
  return lines.slice(-linesMax).join('\n').slice(-textMax)
}

/** A sentence about a program's end, with the last lines of what it wrote. */
export function withLastLines(message: string, output: string): string {
  const lines = lastLines(output)
  return lines ? `${message} Its last lines:\n${lines}` : `${message} It wrote nothing.`
}
