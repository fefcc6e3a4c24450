/** Brings up the embedded Postgres in its host process, from an empty directory or after a kill. */
import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { TargetError } from '../../../../src/common/errors.ts';
import { unlessCode } from '../../../../src/common/fs-errors.ts';
import { findFreePort } from '../port.ts';
import { resolveAccount } from './account.ts';
import { prepareBinaries } from './binaries.ts';
import { createCluster, inspectCluster, locateCluster, resetPassword } from './cluster.ts';
import { createDatabaseIfMissing } from './database.ts';
import { createPassword, readPgpass, writePgpass } from './pgpass.ts';
import { PostmasterStartError, readLogTail, startPostmaster, stopOrphan } from './postmaster.ts';
import type { Postmaster } from './postmaster.ts';

export interface PostgresServer {
  readonly port: number;
  /** Rejects when the server ends unexpectedly. */
  readonly failed: Promise<never>;
  close(): Promise<void>;
}

/** A lost race for a port is rare, and five in a row mean something else. */
const maxPortAttempts = 5;
/** Processes of a server killed outright notice at their next wait, and hardly one is without waits for so long. */
const lingeringMs = 15_000;

/** `home` is a directory of this server alone, and locked by the caller. Rejects with TargetError or UsageError. */
export async function startPostgresServer(options: {
  readonly home: string;
  readonly signal: AbortSignal;
  readonly onNotice: (message: string) => void;
}): Promise<PostgresServer> {
  const { signal, onNotice } = options;
  const home = await realpath(options.home);
  const logFile = join(home, 'postgres.log');
  const account = await resolveAccount(join(home, 'cluster'));
  const binaries = await prepareBinaries(home, account, onNotice);
  const located = await locateCluster(home, account, onNotice);
  // The user may have put the data on another disk by a link of their own.
  const clusterDir = (await unlessCode(realpath(located), 'ENOENT')) ?? located;
  await stopOrphan(clusterDir);

  const isPresent = await inspectCluster(clusterDir, binaries);
  const known = await readPgpass(home);
  const password = known?.password ?? createPassword();
  let port = await findFreePort(known?.port);
  // In this order, a kill at any point leaves no data with an unknown password.
  if (isPresent && known === undefined) await resetPassword(clusterDir, binaries, password, account);
  await writePgpass(home, { port, password });
  if (!isPresent) await createCluster(clusterDir, binaries, password, account);

  let postmaster: Postmaster | undefined;
  const lingeringDeadlineMs = performance.now() + lingeringMs;
  for (let attempt = 1; postmaster === undefined; attempt += 1) {
    signal.throwIfAborted();
    try {
      postmaster = await startPostmaster({ ...binaries, clusterDir, port, account, logFile, signal });
    } catch (error) {
      if (!(error instanceof PostmasterStartError)) throw error;
      if (error.log.includes('could not bind') && attempt < maxPortAttempts) {
        port = await findFreePort();
        await writePgpass(home, { port, password });
      } else if (error.log.includes('shared memory block') && performance.now() < lingeringDeadlineMs) {
        await delay(200);
      } else {
        throw new TargetError(`the embedded Postgres did not start: ${error.message}\n${error.log}`, {
          code: 'EMBEDDED_NOT_STARTED',
          fix: `Its whole log is ${logFile}. Give DATA_DIR another folder, or set POSTGRES_URL to your own server.`,
          cause: error,
        });
      }
    }
  }
  return await openServer(postmaster, { port, password, logFile });
}

async function openServer(
  postmaster: Postmaster,
  { port, password, logFile }: { port: number; password: string; logFile: string },
): Promise<PostgresServer> {
  let isClosing = false;
  const failed = new Promise<never>((_resolve, reject) => {
    void postmaster.exited.then(async (end) => {
      if (isClosing) return;
      reject(
        new TargetError(`the embedded Postgres ${end}\n${await readLogTail(logFile)}`, {
          code: 'EMBEDDED_SERVER_ENDED',
          fix: 'Start again: what was committed is kept.',
        }),
      );
    });
  });
  // Callers that await it get the error. Without one, it must not end the process as an unhandled rejection.
  failed.catch(() => undefined);
  const close = async (): Promise<void> => {
    isClosing = true;
    await postmaster.stop();
  };
  try {
    await createDatabaseIfMissing(port, password);
  } catch (error) {
    await close();
    throw error;
  }
  return { port, failed, close };
}
