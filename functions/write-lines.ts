/**
 * Writes lines to `stream`, those of one turn of the event loop in one piece: each piece costs a system call. Those of the last turn are written
 * when the process exits, however it does.
 */
export function writeLines(stream: { write: (text: string) => unknown }): (line: string) => void {
  let text = ''
  const flush = () => {
    if (text !== '') stream.write(text)
    text = ''
  }
  process.once('exit', flush)
  return (line) => {
    if (text === '') setImmediate(flush)
    text += `${line}\n`
  }
}
