#!/usr/bin/env node
/** The entry point of the program. */

import { keepCompiledCode } from '../common/compiled-code.ts';

// Before anything else is loaded.
keepCompiledCode();
await import('./process.ts');
