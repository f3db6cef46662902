// SPDX-License-Identifier: MIT
// node hyparquet.mjs FILE...: what hyparquet reads, as a line of JSON a file: digests of each column
// over presence, lengths and values (as in readers.py), and the page indexes.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const require = createRequire(process.env.NODE_PROJECT + '/')
const load = (name) => import(pathToFileURL(require.resolve(name)))
const { parquetMetadata, parquetRead, readOffsetIndex } = await load('hyparquet')
const { deserializeTCompactProtocol } = await load('hyparquet/src/thrift.js')
const { compressors } = await load('hyparquet-compressors')

const same = (value) => value
const parsers = {
  timestampFromMicroseconds: same,
  timestampFromNanoseconds: same,
  stringFromBytes: same,
}

function digest(column) {
  const hashes = [0, 1, 2].map(() => createHash('sha256'))
  const present = Buffer.alloc(column.length)
  const number = Buffer.alloc(8)
  column.forEach((value, row) => {
    if (value === undefined || value === null) return
    present[row] = 1
    if (typeof value === 'bigint') {
      number.writeBigInt64LE(value)
      hashes[2].update(number)
    } else {
      const length = Buffer.alloc(4)
      length.writeUInt32LE(value.length)
      hashes[1].update(length)
      hashes[2].update(value)
    }
  })
  hashes[0].update(present)
  return hashes.map((hash) => hash.digest('hex'))
}

const plain = (key, value) =>
  typeof value === 'bigint' ? Number(value)
  : value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value

// Not with readColumnIndex, which fails at the empty bounds of pages of nulls (hyparquet 1.31.5).
function columnIndex(reader) {
  const fields = deserializeTCompactProtocol(reader)
  return {
    null_pages: fields.field_1,
    min_values: fields.field_2,
    max_values: fields.field_3,
    boundary_order: fields.field_4,
    null_counts: fields.field_5,
  }
}

function indexes(buffer, metadata) {
  const view = (offset, length) => ({
    view: new DataView(buffer, Number(offset), Number(length)),
    offset: 0,
  })
  return metadata.row_groups.map((group) => group.columns.map((chunk) => ({
    name: chunk.meta_data.path_in_schema[0],
    offsets: readOffsetIndex(view(chunk.offset_index_offset, chunk.offset_index_length)),
    bounds: chunk.column_index_offset === undefined ? null
      : columnIndex(view(chunk.column_index_offset, chunk.column_index_length)),
  })))
}

for (const path of process.argv.slice(2)) {
  const bytes = readFileSync(path)
  const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength)
  const metadata = parquetMetadata(buffer, { parsers })
  const names = metadata.schema.slice(1).map((element) => element.name)
  const columns = names.map(() => [])
  if (metadata.row_groups.length > 0) {
    await parquetRead({
      file: buffer, metadata, compressors, parsers,
      onComplete: (rows) => rows.forEach((row) => row.forEach((v, i) => columns[i].push(v))),
    })
  }
  console.log(JSON.stringify({
    rows: Number(metadata.num_rows),
    digests: Object.fromEntries(names.map((name, i) => [name, digest(columns[i])])),
    indexes: indexes(buffer, metadata),
    metadata,
  }, plain))
}
