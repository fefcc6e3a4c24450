/** The entry of a worker process. */

import { keepCompiledCode } from '../../common/compiled-code.ts';
import { stopSignals } from '../../common/errors.ts';

// A terminal sends Ctrl-C to the whole group of processes, and whoever manages it SIGTERM; what then happens to the
// workers is the primary's decision. Before all else, as what a worker runs takes a while to load.
for (const signal of stopSignals) process.on(signal, () => undefined);

keepCompiledCode();
const [{ joinProcess }, { Worker }] = await Promise.all([import('./join-process.ts'), import('./worker.ts')]);
joinProcess((port) => new Worker(port));
