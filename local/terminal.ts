import { stripVTControlCharacters, styleText } from 'node:util'
import { visibleLine } from '#shared/domain/visible-text.ts'

export type Style = 'bold' | 'dim' | 'green' | 'red' | 'yellow'

/** Colours a text, or leaves it as it is. */
export type Paint = (style: Style, text: string) => string

export const painter =
  (color: boolean): Paint =>
  (style, text) =>
    color ? styleText(style, text, { validateStream: false }) : text

/** Characters that a text takes on the screen, escape sequences not counted. */
export const widthOf = (text: string): number => [...stripVTControlCharacters(text)].length

/** A plain text, shortened with `…` to at most `width` characters. */
export function shorten(text: string, width: number): string {
  const characters = [...text]
  return characters.length <= width ? text : `${characters.slice(0, Math.max(0, width - 1)).join('')}…`
}

/** Text from elsewhere in one line, with what could steer the terminal or hide something made visible: a model's or a framework's words are not ours. */
export const harmless = (text: string): string => visibleLine(text.replaceAll(/[\t\r\n]+/g, ' ').trim())

export type Screen = {
  /** Lines that stay. They end a block of live ones. */
  say: (...lines: string[]) => void
  /** Lines that the next `redraw` replaces, if nothing was said in between. */
  redraw: (lines: readonly string[]) => void
}

/** Writes lines; `redraw` needs a terminal that knows ANSI sequences. */
export function createScreen(write: (text: string) => void): Screen {
  let live: readonly string[] = []
  return {
    say(...lines) {
      live = []
      write(lines.map((line) => `${line}\n`).join(''))
    },
    redraw(lines) {
      if (lines.join('\n') === live.join('\n')) return
      const up = live.length > 0 ? `\u001b[${live.length}A` : ''
      write(`${up}\u001b[0J${lines.map((line) => `${line}\n`).join('')}`)
      live = lines
    },
  }
}
