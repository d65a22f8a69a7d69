/** A small reader of CSV (RFC 4180) that shares nothing with the writer. */

/** Records of a text, field by field; ends of lines inside quotes belong to the field. */
export function readCsv(text: string): string[][] {
  const records: string[][] = []
  let record: string[] = []
  const pattern = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/gy
  for (let match = pattern.exec(text); match !== null && pattern.lastIndex <= text.length; match = pattern.exec(text)) {
    const [, quoted, plain = '', end] = match
    record.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'))
    if (end === ',') continue
    records.push(record)
    record = []
    if (pattern.lastIndex === text.length) return records
  }
  throw new Error(`no CSV at character ${text.length}`)
}
