/** Which modules share a chunk. */

import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { describe, it } from 'node:test';
import { createChunkNamer, type ModuleGraph } from '../../../../scripts/bundle/chunks.ts';

const folder = '/there';

/** Of modules, by what each imports. */
function graphOf(imports: Readonly<Record<string, readonly string[]>>): ModuleGraph {
  const modules = new Map(
    Object.entries(imports).map(([file, imported]) => [
      resolve(folder, file),
      { importedIds: imported.map((other) => resolve(folder, other)) },
    ]),
  );
  return { getModuleInfo: (id) => modules.get(id) ?? null };
}

const roots = {
  'src/cli/main.ts': ['compiled-code.ts'],
  'src/cli/process.ts': ['command-line.ts'],
  'src/workers/worker/process-main.ts': ['errors.ts'],
  'src/workers/worker/join-process.ts': ['errors.ts', 'port.ts'],
  'src/workers/worker/worker.ts': ['pg.js'],
  'src/source/mongo/mongo-database.ts': ['mongodb.js'],
  'src/run/job/job.ts': ['pg.js', 'mongodb.js', 'plan.ts'],
  'src/workers/pool/cluster.ts': [],
};

const graph = graphOf({
  ...roots,
  ...{
    'compiled-code.ts': [],
    'command-line.ts': ['errors.ts'],
    'errors.ts': ['format.ts'],
    'format.ts': [],
  },
  ...{ 'port.ts': [], 'pg.js': ['pg-types.js'], 'pg-types.js': ['pg.js'], 'mongodb.js': [], 'plan.ts': [] },
  'report.ts': ['pg.js'],
});

describe('a module', () => {
  const nameOf = createChunkNamer(folder);
  for (const [file, name] of [
    ['compiled-code.ts', 'entry'],
    ['errors.ts', 'entry'],
    ['format.ts', 'entry'],
    ['command-line.ts', 'command'],
    ['src/workers/worker/worker.ts', 'worker'],
    ['pg-types.js', 'worker'],
    ['mongodb.js', 'source'],
    ['plan.ts', 'start'],
    ['report.ts', null],
    // A module with a top-level await would wait for a chunk that waits for it.
    ['src/cli/process.ts', null],
    ['src/cli/main.ts', null],
    ['src/workers/worker/process-main.ts', null],
  ] as const) {
    it(`${file} is in the chunk ${name ?? 'that the bundler gives it'}`, () => {
      assert.equal(nameOf(resolve(folder, file), graph), name);
    });
  }

  it('that is listed and missing is an error', () => {
    const moved = graphOf({ ...roots, 'src/run/job/job.ts': [] });
    const without: ModuleGraph = {
      getModuleInfo: (id) => (id.endsWith('job.ts') ? null : moved.getModuleInfo(id)),
    };
    assert.throws(
      () => createChunkNamer(folder)(resolve(folder, 'errors.ts'), without),
      /no module .*job\.ts/,
    );
  });
});
