/** Joins the port of a worker thread to a worker. Process title and signals belong to the primary. */

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
      // Without port and connections the thread exits. Posted messages are in the primary's queue already.
      port.close();
    },
    crash: (crashReport: FromWorker): void => {
      port.postMessage(crashReport);
      // Heap of this thread only.
      process.exit(1);
    },
    readMemory: readThreadMemory,
  });
  port.on('message', (message: ToWorker) => {
    worker.receive(message);
  });
  // A batch that cannot be deserialized, for lack of memory, would be lost silently. An uncaught exception ends the thread.
  port.on('messageerror', (error: Error) => {
    throw error;
  });
  worker.listen();
}
