// SPDX-License-Identifier: MIT
// node nested.mjs FILE...: the rows that hyparquet reads, as a line of JSON a file. Integers of 64 bits
// are {"n": digits}, bytes {"b": base64}, dates and times as they are stored.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const require = createRequire(process.env.NODE_PROJECT + '/')
const load = (name) => import(pathToFileURL(require.resolve(name)))
const { parquetReadObjects } = await load('hyparquet')
const { compressors } = await load('hyparquet-compressors')

const parsers = {
  timestampFromMicroseconds: (value) => value,
  dateFromDays: (value) => value,
  stringFromBytes: (bytes) => bytes && new TextDecoder().decode(bytes),
}

const plain = (value) => {
  if (value === undefined || value === null) return null
  if (typeof value === 'bigint') return { n: String(value) }
  if (value instanceof Uint8Array) return { b: Buffer.from(value).toString('base64') }
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value === 'object')
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, plain(v)]))
  return value
}

for (const path of process.argv.slice(2)) {
  const bytes = readFileSync(path)
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength)
  console.log(JSON.stringify(plain(await parquetReadObjects({ file, compressors, parsers, utf8: false }))))
}
