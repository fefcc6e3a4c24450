/** Workers as threads of the primary's process. */

import process from 'node:process';
import { Worker as Thread, type ResourceLimits } from 'node:worker_threads';
import { toWireError } from '../../common/errors.ts';
import type { Exit, Pool, PoolWorker, WorkerEvents } from './pool.ts';
import type { FromWorker, ToWorker } from '../protocol.ts';

/**
 * @param script what each thread runs
 * @param resourceLimits of each thread's heap; without them, what V8 allows the main thread
 */
export function createThreadPool(script: URL, resourceLimits?: ResourceLimits): Pool {
  const options = resourceLimits === undefined ? {} : { resourceLimits };
  const spawn = (events: WorkerEvents): PoolWorker => {
    try {
      return followThread(new Thread(script, { ...options, name: 'mongo2pg worker' }), events);
    } catch (error) {
      return createStillborn(events, error);
    }
  };
  return { isBeside: true, spawn };
}

function followThread(thread: Thread, events: WorkerEvents): PoolWorker {
  // It is -1 once the thread is gone.
  const id = `${process.pid}/${thread.threadId}`;
  let isKilled = false;
  let reason: string | undefined;
  thread.on('message', (message: FromWorker) => {
    events.onMessage(message);
  });
  thread.on('error', (error: unknown) => {
    reason = toWireError(error).message;
  });
  // Node hands out what the thread has sent, then the error, and then this.
  thread.once('exit', (code) => {
    const exit: Exit = isKilled ? { code: null, signal: 'terminate()' } : { code, signal: null, reason };
    events.onGone(exit);
  });
  return {
    id,
    send: (message) => {
      sendTo(thread, message);
    },
    kill: () => {
      isKilled = true;
      // Ends the thread wherever it is, in an endless loop as well; its promise tells no more than `exit`.
      void thread.terminate();
    },
  };
}

/**
 * A batch's bytes are copied once, and the copy is moved: the primary keeps the original, to deliver it again should
 * this thread die. To let structured clone copy takes twice the work, and it would copy all of the reply around the
 * batch. Shared memory would spare the primary nothing, and is not given back before a garbage collection that does not
 * know how much there is of it.
 */
function sendTo(thread: Thread, message: ToWorker): void {
  if (message.kind !== 'batch') {
    thread.postMessage(message);
    return;
  }
  const bytes = new Uint8Array(message.batch.bytes);
  thread.postMessage({ ...message, batch: { ...message.batch, bytes } } satisfies ToWorker, [bytes.buffer]);
}

/** Stands for a thread that could not be started. */
function createStillborn(events: WorkerEvents, error: unknown): PoolWorker {
  setImmediate(() => {
    events.onGone({ code: null, signal: String(error) });
  });
  return { id: `${process.pid}/?`, send: () => undefined, kill: () => undefined };
}
