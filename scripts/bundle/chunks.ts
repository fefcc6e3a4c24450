/**
 * Which modules share a chunk. Left to itself a bundler makes one for every set of modules that the same entries need, which
 * were 120 for a start. Node looks for each file and reads it, which took a quarter of the processor time of a short run.
 */

import { resolve } from 'node:path';

/** The properties of a module that determine its chunk. */
export interface ModuleGraph {
  /** @returns null for a missing module */
  getModuleInfo(id: string): { readonly importedIds: readonly string[] } | null;
}

/**
 * These wait for others at their top, by `await`, and cannot be in a chunk with what they wait for: that would wait for them.
 * The first two do something before all else is loaded.
 */
const alone = [
  'src/cli/main.ts',
  'src/workers/worker/process-main.ts',
  'src/workers/worker/thread-main.ts',
  'src/cli/process.ts',
];

/**
 * Of each chunk, the modules that it is loaded for. It has all that these import, without what is in a chunk before it. All of
 * it is needed whenever one of them is, or nearly so: what only some commands need is no chunk of this list.
 */
const chunkRoots: readonly (readonly [name: string, roots: readonly string[]])[] = [
  ['entry', ['src/cli/main.ts', 'src/workers/worker/process-main.ts']],
  ['command', ['src/cli/process.ts']],
  ['worker', ['src/workers/worker/join-process.ts', 'src/workers/worker/worker.ts']],
  ['source', ['src/source/mongo/mongo-database.ts']],
  ['start', ['src/run/job/job.ts', 'src/workers/pool/cluster.ts']],
];

/**
 * @param id of a module: its path, absolute
 * @returns the name of its chunk; null where that is left to the bundler
 */
export type ChunkNamer = (id: string, graph: ModuleGraph) => string | null;

/** @throws Error where a module of the list is not in the graph: it was moved, or renamed */
export function createChunkNamer(folder: string): ChunkNamer {
  const isAlone = new Set(alone.map((file) => resolve(folder, file)));
  let names: ReadonlyMap<string, string> | undefined;
  return (id, graph) => {
    if (isAlone.has(id)) return null;
    names ??= nameAll(folder, graph);
    return names.get(id) ?? null;
  };
}

function nameAll(folder: string, graph: ModuleGraph): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  for (const [name, roots] of chunkRoots) {
    const todo = roots.map((file) => resolve(folder, file));
    for (const root of todo) {
      if (graph.getModuleInfo(root) === null) throw new Error(`no module ${root}, of the chunk ${name}`);
    }
    const seen = new Set<string>();
    for (let id = todo.pop(); id !== undefined; id = todo.pop()) {
      if (seen.has(id)) continue;
      seen.add(id);
      if (!names.has(id)) names.set(id, name);
      todo.push(...(graph.getModuleInfo(id)?.importedIds ?? []));
    }
  }
  return names;
}
