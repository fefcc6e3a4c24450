/** The entry of a worker process. */

import { keepCompiledCode } from '../../common/compiled-code.ts';
import { stopSignals } from '../../common/errors.ts';

// A terminal sends Ctrl-C to the whole process group, and a service manager SIGTERM. Workers ignore both: the primary decides when
// they stop. Installed first, since loading the modules takes a while.
for (const signal of stopSignals) process.on(signal, () => undefined);

keepCompiledCode();
const [{ joinProcess }, { Worker }] = await Promise.all([import('./join-process.ts'), import('./worker.ts')]);
joinProcess((port) => new Worker(port));
