/** The entry of a worker process: joins node:cluster's IPC channel to a Worker. */

import process from 'node:process';
import { Worker } from './worker.ts';
import type { FromWorker, ToWorker } from '../pool/protocol.ts';

process.title = 'mongo2pg worker';

// A terminal sends Ctrl-C to the whole group of processes; what then happens to the workers is the primary's decision.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);

let hasLeft = false;
const worker = new Worker({
  send: (message: FromWorker): void => {
    // An error means that the primary is gone, and `disconnect` tells.
    if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
  },
  leave: (): void => {
    // Ends the channel once all that was sent has gone out; with no channel and no connection the process ends itself.
    hasLeft = true;
    process.disconnect();
  },
  crash: (lastWords: FromWorker): void => {
    process.send?.(lastWords, undefined, undefined, () => process.exit(1));
  },
});

process.on('message', (message: ToWorker) => {
  worker.receive(message);
});
worker.listen();
process.on('disconnect', () => {
  // The primary is gone: whatever is not committed is rolled back by Postgres when the connection breaks.
  if (!hasLeft) process.exit(1);
});
