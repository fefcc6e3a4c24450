/** Workers as processes of node:cluster. */

import cluster from 'node:cluster';
import { fileURLToPath } from 'node:url';
import { PipeWriter, stdioWithPipe } from '../byte-pipe.ts';
import type { Exit, Pool, PoolWorker, WorkerEvents } from './pool.ts';
import type { FromWorker, ToWorker } from '../protocol.ts';

/** @param script of each process */
export function createClusterPool(script: URL): Pool {
  cluster.setupPrimary({
    exec: fileURLToPath(script),
    args: [],
    // Carries ids as bytes; the default (JSON) would carry them as arrays of numbers.
    serialization: 'advanced',
    stdio: [...stdioWithPipe],
  });
  return { isBeside: true, spawn: spawnProcess };
}

function spawnProcess(events: WorkerEvents): PoolWorker {
  const worker = cluster.fork();
  const pid = worker.process.pid;
  // A process that could not be spawned has no pid.
  const pipe = pid === undefined ? null : new PipeWriter(worker.process.stdio);

  // Node promises no order between `exit` and `disconnect`, and only after both is the channel empty.
  let exit: Exit | undefined;
  let isDisconnected = false;
  const checkGone = (): void => {
    if (exit === undefined || !isDisconnected) return;
    pipe?.close();
    events.onGone(exit);
  };
  worker.on('message', (message: FromWorker) => {
    events.onMessage(message);
  });
  worker.once('disconnect', () => {
    isDisconnected = true;
    checkGone();
  });
  worker.once('exit', (code: number | null, signal: string | null) => {
    exit = { code, signal };
    checkGone();
  });
  // A process that could not be spawned has no channel: it emits only `error`, and counts as gone.
  worker.once('error', (error: Error) => {
    if (pid === undefined) events.onGone({ code: null, signal: error.message });
  });
  return {
    id: String(pid ?? 0),
    send: (message: ToWorker): void => {
      // The credit bounds the queue. An error means that the worker is dying, which `onGone` reports.
      if (!worker.isConnected()) return;
      worker.send(withoutBytes(message), undefined, ignoreError);
      if (message.kind === 'batch') pipe?.write(message.batch.bytes);
    },
    kill: (): void => {
      // Not worker.kill(), which first waits for the worker to disconnect.
      worker.process.kill('SIGKILL');
    },
  };
}

const noBytes = new Uint8Array();

/** The message for the channel, without the bytes of a batch, which are sent through the pipe. */
function withoutBytes(message: ToWorker): ToWorker {
  return message.kind === 'batch' ? { ...message, batch: { ...message.batch, bytes: noBytes } } : message;
}

function ignoreError(): void {
  return;
}
