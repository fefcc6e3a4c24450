/** `node dist/scripts/in-group.js program.js …`: runs a script of Node so that nothing it has started outlives this command. */

import process from 'node:process';
import { runGroup } from './process-group.ts';

const code = await runGroup(process.execPath, process.argv.slice(2), { stdio: 'inherit' });
process.exitCode = code ?? 1;
