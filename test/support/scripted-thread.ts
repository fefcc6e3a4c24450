/** The entry of a thread that runs a scripted worker. */

import { joinThread } from '../../src/workers/worker/join-thread.ts';
import { ScriptedWorker } from './scripted-worker.ts';

joinThread((port) => new ScriptedWorker(port));
