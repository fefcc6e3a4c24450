/** The entry of a worker process. */

import { joinProcess } from './join-process.ts';
import { Worker } from './worker.ts';

joinProcess((port) => new Worker(port));
