/** Writes dumps by their published formats, without code that reads them. */

import { EJSON, Long, serialize, type Document } from 'bson';

/** Documents one after another, as in `users.bson`. */
export function dumpBson(documents: readonly (Document | Buffer)[]): Buffer {
  return Buffer.concat(documents.map(toBson));
}

/** `users.metadata.json`, in canonical Extended JSON of version 2, as mongodump writes it since 4.2. */
export function dumpMetadata(
  collectionName: string,
  more: {
    readonly indexes?: readonly Document[];
    readonly options?: Document;
    readonly type?: string;
  } = {},
): string {
  const { indexes = [idIndex], options = {}, type = 'collection' } = more;
  const uuid = '00112233445566778899aabbccddeeff';
  return EJSON.stringify({ options, indexes, uuid, collectionName, type }, { relaxed: false });
}

export const idIndex = { v: 2, key: { _id: 1 }, name: '_id_' };

/** `prelude.json`, which newer versions put into the folder. */
export const prelude = JSON.stringify({ ServerVersion: '8.0.4', ToolVersion: '100.11.0' });

export interface ArchivePart {
  readonly collection: string;
  readonly documents: readonly (Document | Buffer)[];
  readonly metadata?: string;
  readonly type?: string;
}

export interface ArchiveOptions {
  readonly db?: string;
  /** Documents in a block, before a block of another collection. */
  readonly blockSize?: number;
  /** The error of the checksums. */
  readonly checksumError?: bigint;
}

/** `mongodump --archive`: https://github.com/mongodb/mongo-tools/blob/master/common/archive/spec.md */
export function dumpArchive(
  parts: readonly ArchivePart[],
  { db = 'school', blockSize = 7, checksumError = 0n }: ArchiveOptions = {},
): Buffer {
  const out: Buffer[] = [Buffer.from('6de29981', 'hex')];
  out.push(
    toBson({ concurrent_collections: 4, version: '0.1', server_version: '8.0.4', tool_version: '100.11.0' }),
  );
  for (const { collection, metadata = dumpMetadata(collection), type = 'collection' } of parts) {
    out.push(toBson({ db, collection, metadata, size: 0, type }));
  }
  out.push(terminator);
  const left = parts.map(({ collection, documents }) => ({
    collection,
    documents: documents.map(toBson),
    isOver: false,
    crc: crc64(dumpBson(documents)) + checksumError,
  }));
  while (left.some(({ isOver }) => !isOver)) {
    for (const part of left.filter(({ isOver }) => !isOver)) {
      const block = part.documents.splice(0, blockSize);
      const header = (EOF: boolean, CRC: bigint): Buffer =>
        toBson({ db, collection: part.collection, EOF, CRC: Long.fromBigInt(CRC) });
      if (block.length > 0) {
        out.push(header(false, 0n), ...block, terminator);
      } else {
        out.push(header(true, BigInt.asIntN(64, part.crc)), terminator);
        part.isOver = true;
      }
    }
  }
  return Buffer.concat(out);
}

const terminator = Buffer.from('ffffffff', 'hex');

function toBson(document: Document | Buffer): Buffer {
  if (Buffer.isBuffer(document)) return document;
  return Buffer.from(serialize(document, { ignoreUndefined: false }));
}

/** CRC-64/XZ. https://reveng.sourceforge.io/crc-catalogue/all.htm#crc.cat.crc-64-xz */
export function crc64(bytes: Uint8Array): bigint {
  const ones = 0xffff_ffff_ffff_ffffn;
  let crc = ones;
  for (const byte of bytes) crc = (crc >> 8n) ^ (crcTable[Number(crc & 0xffn) ^ byte] ?? 0n);
  return crc ^ ones;
}

const crcTable = Array.from({ length: 256 }, (_, byte) => {
  let crc = BigInt(byte);
  for (let bit = 0; bit < 8; bit++) {
    crc = (crc & 1n) === 1n ? (crc >> 1n) ^ 0xc96c_5795_d787_0f42n : crc >> 1n;
  }
  return crc;
});
