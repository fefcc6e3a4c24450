/** Checks before a run that its report can be written. */

import { access, constants, open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { UsageError } from '../../common/errors.ts';
import { opening } from './page.ts';

/**
 * At the end of a long run it would be too late. Refuses to overwrite a file that is not a report.
 * @throws UsageError
 */
export async function requireReportPlace(path: string): Promise<void> {
  const fix = 'choose another --report.';
  try {
    await access(dirname(path), constants.W_OK);
  } catch (error) {
    throw new UsageError(`a report cannot be written to ${dirname(path)}`, {
      code: 'REPORT_NOT_WRITTEN',
      fix,
      cause: error,
    });
  }
  const found = await stat(path).catch(() => null);
  if (found === null) return;
  if (!found.isFile() || !(await readOpening(path)).startsWith(opening)) {
    throw new UsageError(`${path} exists and is not a report`, { code: 'FILE_EXISTS', fix });
  }
}

async function readOpening(path: string): Promise<string> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(opening.length), 0, opening.length, 0);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}
