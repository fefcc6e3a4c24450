/** The entry of a process that runs a scripted worker. */

import { joinProcess } from '../../src/workers/worker/join-process.ts';
import { ScriptedWorker } from './scripted-worker.ts';

joinProcess((port) => new ScriptedWorker(port));
