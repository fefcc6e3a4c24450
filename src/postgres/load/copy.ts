/** Runs one COPY … FROM STDIN with bytes that are ready. */

import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { isFailpointActive, reachFailpoint } from '../../common/failpoints/failpoints.ts';

export interface CopyOptions {
  /** Statements that go before it in the same query, and so in the same round trip. */
  readonly after?: string;
  /** Postgres has done what goes before, and waits for the bytes. */
  readonly onBegun?: () => void;
}

/**
 * Resolves when Postgres is ready for the next query, so that the bytes may be overwritten then.
 * @returns how many rows Postgres took
 * @throws the error of Postgres or of the connection as it is
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
    // Not end(bytes): a stream that failed while the socket is still taking its bytes would end without a connection.
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
