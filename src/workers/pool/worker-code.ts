/** The entry point of a worker, for each pool. */

import type { CreateWorker } from '../worker/port.ts';

export interface WorkerCode {
  /** The script of a process, … */
  readonly process: URL;
  /** … of a thread, … */
  readonly thread: URL;
  /** … and a factory for a worker in this process. */
  inline(): Promise<CreateWorker>;
}

export const workerCode: WorkerCode = {
  process: new URL('../worker/process-main.js', import.meta.url),
  thread: new URL('../worker/thread-main.js', import.meta.url),
  inline: async () => {
    const { Worker } = await import('../worker/worker.ts');
    return (port) => new Worker(port);
  },
};
