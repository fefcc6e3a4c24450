/** Joins node:cluster's IPC channel, and the pipe beside it, to a worker: what runs in a process of its own. */

import process from 'node:process';
import { readProcessMemory } from '../../common/memory.ts';
import { readPipe } from '../byte-pipe.ts';
import type { FromWorker, ToWorker } from '../protocol.ts';
import { Inlet } from './inlet.ts';
import type { CreateWorker } from './port.ts';

export function joinProcess(createWorker: CreateWorker): void {
  process.title = 'mongo2pg worker';

  let isLeaving = false;
  /** Messages not sent yet: closing the channel would lose them. */
  let unsent = 0;
  const disconnectOnceSent = (): void => {
    // Without channel, pipe and connections the process exits.
    if (isLeaving && unsent === 0 && process.connected) process.disconnect();
  };
  const worker = createWorker({
    send: (message: FromWorker): void => {
      if (!process.connected) return;
      unsent++;
      // An error means that the primary is gone, which `disconnect` reports.
      process.send?.(message, undefined, undefined, () => {
        unsent--;
        disconnectOnceSent();
      });
    },
    leave: (): void => {
      isLeaving = true;
      pipe.close();
      disconnectOnceSent();
    },
    crash: (crashReport: FromWorker): void => {
      process.send?.(crashReport, undefined, undefined, () => process.exit(1));
    },
    release: (bytes): void => {
      pipe.release(bytes);
    },
    readMemory: readProcessMemory,
  });

  const inlet = new Inlet((message) => {
    worker.receive(message);
  });
  process.on('message', (message: ToWorker) => {
    inlet.takeMessage(message);
  });
  const pipe = readPipe((bytes) => {
    inlet.takeBytes(bytes);
  });
  worker.listen();
  process.on('disconnect', () => {
    // The primary is gone. Postgres rolls back what is not committed when the connection breaks.
    if (!isLeaving) process.exit(1);
  });
}
