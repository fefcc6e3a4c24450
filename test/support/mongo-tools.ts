/** MongoDB's own tools, if available: they write real dumps. */

import { execFile, execFileSync } from 'node:child_process';
import { promisify } from 'node:util';

const names = ['mongodump', 'mongorestore', 'mongoexport'] as const;
export type MongoTool = (typeof names)[number];

/** For `skip`: false when all are on the PATH. */
export function lacksMongoTools(): string | false {
  const missing = names.filter((name) => !isThere(name));
  return missing.length > 0 && `there is no ${missing.join(', no ')} on the PATH`;
}

function isThere(name: MongoTool): boolean {
  try {
    execFileSync(name, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Rejects with its output when it fails. */
export async function runMongoTool(name: MongoTool, ...args: string[]): Promise<void> {
  await promisify(execFile)(name, args);
}
