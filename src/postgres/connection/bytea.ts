/** Bytes in a query, as a parameter or a constant. The driver takes only a Buffer, but IPC delivers a plain Uint8Array. */

import pg from 'pg';

export function asBuffer(bytes: Uint8Array): Buffer;
export function asBuffer(bytes: Uint8Array | null): Buffer | null;
export function asBuffer(bytes: Uint8Array | null): Buffer | null {
  return bytes === null ? null : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Bytes as a constant in a statement, whatever `standard_conforming_strings` says. */
export function byteaLiteral(bytes: Uint8Array): string {
  return `${pg.escapeLiteral(`\\x${asBuffer(bytes).toString('hex')}`)}::bytea`;
}
