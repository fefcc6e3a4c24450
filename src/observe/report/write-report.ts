/** Writes the report of a job, also if the job fails. */

import { writeFile } from 'node:fs/promises';
import { MigrationError } from '../../common/errors.ts';
import { redact } from '../../common/redact.ts';
import { writePage } from './page.ts';
import { describeFailure, Recorder } from './recorder.ts';

/**
 * Records `copy`. If the report cannot be written, a message says so; the outcome stays the same.
 * @throws what `copy` throws
 */
export async function withReport<T>(
  path: string,
  say: (message: string) => void,
  copy: (recorder: Recorder) => Promise<T>,
): Promise<T> {
  const recorder = new Recorder();
  const write = async (failure: string | null): Promise<void> => {
    try {
      await writeFile(path, writePage(recorder.report(failure)));
      say(`report: ${path}`);
    } catch (error) {
      say(`the report could not be written to ${path} (${String(error)})`);
    }
  };
  let outcome: T;
  try {
    outcome = await copy(recorder);
  } catch (error) {
    await write(describeEnd(error));
    throw error;
  }
  await write(null);
  return outcome;
}

/** Describes why a job ended early. @param error what it has thrown */
export function describeEnd(error: unknown): string {
  return error instanceof MigrationError ? describeFailure(error) : redact(String(error));
}
