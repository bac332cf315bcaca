import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readDataSet, rowsFrom, textField, textsField } from './dataset.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'evalhub-dataset-'))
})
afterAll(() => rm(folder, { recursive: true }))

const places = () => ({ testDataDir: folder, cwd: folder })

describe('rowsFrom', () => {
  test('skips blank lines and keeps line numbers', () => {
    expect(rowsFrom('{"id":"a"}\r\n\n{"x":1}', 'd.jsonl').map(({ id, line }) => [id, line])).toEqual([
      ['a', 1],
      ['line-3', 3],
    ])
  })

  test.each([
    ['{"a":1}\nnot json secret-value', 'd.jsonl:2: not JSON.'],
    ['[1]', 'd.jsonl:1: not a JSON object.'],
    ['null', 'd.jsonl:1: not a JSON object.'],
    ['\n \n', 'd.jsonl has no rows.'],
    [`{"a":"${'x'.repeat(1024 * 1024)}"}`, 'd.jsonl:1: the line has more than 1048576 characters.'],
  ])('refuses a bad line by file, line and reason, without quoting it', (text, message) => {
    expect(() => rowsFrom(text, 'd.jsonl')).toThrow(`Data set ${message}`)
  })

  test('refuses more rows than it may hold', () => {
    expect(() => rowsFrom('{}\n'.repeat(200_001), 'd.jsonl')).toThrow('has more than 200000 rows')
  })

  // Guarantee: a hostile row cannot give every object new properties, nor pass off inherited ones as its own.
  test('treats __proto__ and constructor as plain names', () => {
    const [row] = rowsFrom('{"__proto__":{"question":"polluted"},"id":"a"}', 'd.jsonl')
    expect(textField(row!, 'question')).toBeUndefined()
    expect(textField(row!, 'constructor')).toBeUndefined()
    expect(({} as Record<string, unknown>).question).toBeUndefined()
  })
})

test('a list of texts may be a single text; anything else names line and field', () => {
  const data = { path: 'd.jsonl', rows: rowsFrom('{"answer":"a"}\n{"answer":["a",2]}\n{"answer":[]}\n{}', 'd.jsonl') }
  expect(textsField(data, data.rows[0]!, 'answer')).toEqual(['a'])
  expect(textsField(data, data.rows[1]!, 'answer')).toEqual(['a', '2'])
  expect(() => textsField(data, data.rows[2]!, 'answer')).toThrow('d.jsonl:3: field answer must be text or a list of texts.')
  expect(() => textsField(data, data.rows[3]!, 'answer')).toThrow('d.jsonl:4: field answer')
})

describe('readDataSet', () => {
  test('takes the only file of the test data, and says which there are when it cannot choose', async () => {
    await expect(readDataSet(undefined, places())).rejects.toThrow('has no *.jsonl file')
    await writeFile(join(folder, 'one.jsonl'), '\uFEFF{"id":1}')
    expect((await readDataSet(undefined, places())).rows).toMatchObject([{ id: '1' }])
    await writeFile(join(folder, 'two.jsonl'), '{}')
    await expect(readDataSet(undefined, places())).rejects.toThrow('has 2 *.jsonl files (one.jsonl, two.jsonl)')
  })

  test.each(['missing.jsonl', '.', '/dev/zero'])('refuses %s, which is no plain file', async (path) => {
    await expect(readDataSet(path, places())).rejects.toThrow('Parameter dataset names no file')
  })

  test('refuses bytes that are no text', async () => {
    await writeFile(join(folder, 'binary'), Buffer.from([0x7b, 0xff, 0x7d]))
    await expect(readDataSet('binary', places())).rejects.toThrow('is not UTF-8')
  })
})
