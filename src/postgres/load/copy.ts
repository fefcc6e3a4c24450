/** Runs one COPY … FROM STDIN with bytes that are already in memory. */

import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { isFailpointActive, reachFailpoint } from '../../common/failpoints/failpoints.ts';

export interface CopyOptions {
  /** Statements that precede it in the same query, and so in the same round trip. */
  readonly after?: string;
  /** Called when Postgres has executed the statements before, and waits for the bytes. */
  readonly onBegun?: () => void;
}

/**
 * Resolves when Postgres is ready for the next query; then the bytes may be overwritten.
 * @returns how many rows Postgres accepted
 * @throws the errors of pg
 */
export async function copyRows(
  client: pg.Client,
  statement: string,
  bytes: Buffer,
  { after, onBegun = () => undefined }: CopyOptions = {},
): Promise<number> {
  const stream = copyFrom(after === undefined ? statement : `${after}; ${statement}`);
  client.query(stream);
  client.connection.once('copyInResponse', onBegun);
  return await new Promise((resolve, reject) => {
    let hasFailed = false;
    stream.once('error', (error: Error) => {
      hasFailed = true;
      client.connection.off('copyInResponse', onBegun);
      reject(error);
    });
    stream.once('finish', () => {
      resolve(stream.rowCount);
    });
    // Not end(bytes): if the stream fails while the socket still writes, `end` would run without a connection.
    const end = (): void => {
      if (!hasFailed) stream.end();
    };
    if (isFailpointActive('worker-in-copy')) {
      const middle = bytes.length >> 1;
      stream.write(bytes.subarray(0, middle), () => {
        void Promise.resolve(reachFailpoint('worker-in-copy')).then(() => {
          if (!hasFailed) stream.write(bytes.subarray(middle), end);
        }, reject);
      });
    } else {
      stream.write(bytes, end);
    }
  });
}
