import { shorten, widthOf } from './terminal.ts'

export type Cell = { text: string; paint?: (text: string) => string }

export type Column = { title: string; align: 'left' | 'right' }

const GAP = '  '

/**
 * Lines of an aligned table: titles, a rule, and one line a row. If they do not fit into `columns`, the first column
 * is shortened, down to 8 characters.
 */
export function tableLines(heads: readonly Column[], rows: readonly (readonly Cell[])[], columns: number): string[] {
  const natural = heads.map(({ title }, index) => Math.max(widthOf(title), ...rows.map((row) => widthOf(row[index]?.text ?? ''))))
  const over = Math.max(0, natural.reduce((sum, width) => sum + width, 0) + GAP.length * heads.length - columns)
  const widths = natural.map((width, index) => (index === 0 ? Math.max(Math.min(width, 8), width - over) : width))

  const lineOf = (cells: readonly Cell[]) => {
    const padded = heads.map(({ align }, index) => {
      const { text = '', paint = (plain: string) => plain } = cells[index] ?? {}
      const width = widths[index] ?? 0
      const shown = shorten(text, width)
      const space = ' '.repeat(width - widthOf(shown))
      return align === 'left' ? paint(shown) + space : space + paint(shown)
    })
    return `${GAP}${padded.join(GAP)}`.trimEnd()
  }

  const rule = `${GAP}${widths.map((width) => '─'.repeat(width)).join(GAP)}`
  return [lineOf(heads.map(({ title }) => ({ text: title }))), rule, ...rows.map(lineOf)]
}
