/** The entry of a worker thread. */

import { joinThread } from './join-thread.ts';
import { Worker } from './worker.ts';

joinThread((port) => new Worker(port));
