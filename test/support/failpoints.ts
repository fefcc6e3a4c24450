/** Failpoints for the processes that a test starts: sets them, waits until they fire, resumes paused ones. */

import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { unlessCode } from '../../src/common/fs-errors.ts';
import type { FailpointAction, FailpointName } from '../../src/common/failpoints/rules.ts';
import { makeDirectory, waitUntil } from './embedded.ts';

export interface Failpoints {
  /** What the first process of the run needs; its workers inherit it. */
  readonly env: Readonly<Record<string, string>>;
  /** Fulfilled, when the point has fired so often, with the id of the process in which it did so last. */
  waitUntilFired(name: FailpointName, times?: number): Promise<number>;
  countFirings(name: FailpointName): Promise<number>;
  /** Resumes processes that pause there, now and later. */
  resume(name: FailpointName): Promise<void>;
}

/** An action with modifiers, such as `kill@3x2`; see `src/common/failpoints/rules.ts`. */
export type FailpointRules = Readonly<Partial<Record<FailpointName, `${FailpointAction}${string}`>>>;

/** Set for this test alone. Processes that still pause or hang at its end are resumed or killed. */
export async function setFailpoints(t: TestContext, rules: FailpointRules): Promise<Failpoints> {
  const folder = await makeDirectory(t);
  const firedPath = (name: FailpointName, n: number): string => join(folder, `${name}.${n}.fired`);
  return {
    env: {
      MONGO2PG_FAILPOINTS: Object.entries(rules)
        .map(([name, action]) => `${name}=${action}`)
        .join(';'),
      MONGO2PG_FAILPOINTS_DIR: folder,
    },
    async waitUntilFired(name, times = 1) {
      let pid = 0;
      await waitUntil(`failpoint ${name} has fired ${times} times`, async () => {
        // Empty between its creation and its writing.
        pid = Number.parseInt(
          (await unlessCode(readFile(firedPath(name, times), 'utf8'), 'ENOENT')) ?? '',
          10,
        );
        return pid > 0;
      });
      return pid;
    },
    async countFirings(name) {
      const files = await readdir(folder);
      return files.filter((file) => file.startsWith(`${name}.`) && file.endsWith('.fired')).length;
    },
    async resume(name) {
      await writeFile(join(folder, `${name}.resume`), '');
    },
  };
}

/** Acts once a process pauses there, and lets it continue. @returns how the command ends, which must not be before */
export async function actAtPause<Ended extends { readonly stderr: string }>(
  failpoints: Failpoints,
  name: FailpointName,
  running: Promise<Ended>,
  act: () => Promise<unknown>,
): Promise<Ended> {
  const isOver = await Promise.race([
    running.then(() => true),
    failpoints.waitUntilFired(name).then(() => false),
  ]);
  if (isOver) assert.fail(`it ended before ${name}: ${(await running).stderr}`);
  await act();
  await failpoints.resume(name);
  return await running;
}
