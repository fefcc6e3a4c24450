/** Joins the port of a worker thread to a worker. The process around it, its title and signals, are the primary's. */

import process from 'node:process';
import { parentPort } from 'node:worker_threads';
import { readThreadMemory } from '../../common/memory.ts';
import type { FromWorker, ToWorker } from '../protocol.ts';
import type { CreateWorker } from './port.ts';

export function joinThread(createWorker: CreateWorker): void {
  const port = parentPort;
  if (port === null) throw new Error('not a worker thread');
  const worker = createWorker({
    send: (message: FromWorker): void => {
      port.postMessage(message);
    },
    leave: (): void => {
      // With no port and no connection the thread ends itself; what was posted is in the primary's queue already.
      port.close();
    },
    crash: (crashReport: FromWorker): void => {
      port.postMessage(crashReport);
      // Of the thread alone.
      process.exit(1);
    },
    readMemory: readThreadMemory,
  });
  port.on('message', (message: ToWorker) => {
    worker.receive(message);
  });
  // A batch that cannot be read, for want of memory, would be missed by nobody: as an uncaught exception it is.
  port.on('messageerror', (error: Error) => {
    throw error;
  });
  worker.listen();
}
