/** Workers as threads of the primary's process. */

import process from 'node:process';
import { Worker as Thread, type ResourceLimits } from 'node:worker_threads';
import { toWireError } from '../../common/errors.ts';
import type { Exit, Pool, PoolWorker, WorkerEvents } from './pool.ts';
import type { FromWorker, ToWorker } from '../protocol.ts';

/**
 * @param script of each thread
 * @param resourceLimits of each thread's heap; without them, what V8 allows the main thread
 */
export function createThreadPool(script: URL, resourceLimits?: ResourceLimits): Pool {
  const options = resourceLimits === undefined ? {} : { resourceLimits };
  const spawn = (events: WorkerEvents): PoolWorker => {
    try {
      return followThread(new Thread(script, { ...options, name: 'mongo2pg worker' }), events);
    } catch (error) {
      return createFailedThread(events, error);
    }
  };
  return { isBeside: true, spawn };
}

function followThread(thread: Thread, events: WorkerEvents): PoolWorker {
  // threadId is -1 once the thread is gone.
  const id = `${process.pid}/${thread.threadId}`;
  let isKilled = false;
  let reason: string | undefined;
  thread.on('message', (message: FromWorker) => {
    events.onMessage(message);
  });
  thread.on('error', (error: unknown) => {
    reason = toWireError(error).message;
  });
  // Node delivers the messages of the thread first, then its error, and then `exit`.
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
      // Ends the thread even in an endless loop. Its promise reports no more than `exit`.
      void thread.terminate();
    },
  };
}

/**
 * A batch's bytes are copied once, and the copy is moved: the primary keeps the original, to deliver it again should
 * this thread die. A structured clone would copy twice, and would copy the whole reply that contains the batch. Shared memory saves
 * nothing in the primary, and is freed only by a garbage collection that does not know its size.
 */
function sendTo(thread: Thread, message: ToWorker): void {
  if (message.kind !== 'batch') {
    thread.postMessage(message);
    return;
  }
  const bytes = new Uint8Array(message.batch.bytes);
  thread.postMessage({ ...message, batch: { ...message.batch, bytes } } satisfies ToWorker, [bytes.buffer]);
}

/** A placeholder for a thread that could not be started. */
function createFailedThread(events: WorkerEvents, error: unknown): PoolWorker {
  setImmediate(() => {
    events.onGone({ code: null, signal: String(error) });
  });
  return { id: `${process.pid}/?`, send: () => undefined, kill: () => undefined };
}
