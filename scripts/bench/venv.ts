/** Python programs of others: from a folder that BENCH_VENV names, or installed by pip into one that is removed with the bench. */

import { execFile } from 'node:child_process';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);
const installLimitMs = 300_000;

export class Venv {
  readonly #folder: string;
  readonly #mayInstall: boolean;

  private constructor(folder: string, mayInstall: boolean) {
    this.#folder = folder;
    this.#mayInstall = mayInstall;
  }

  /** The folder that `BENCH_VENV` names, which is not changed; null if it names none. */
  static named(): Venv | null {
    const folder = process.env.BENCH_VENV ?? '';
    return folder === '' ? null : new Venv(folder, false);
  }

  /** @returns null where there is no Python */
  static async make(folder: string): Promise<Venv | null> {
    const made = join(folder, 'venv');
    try {
      await execute('python3', ['-m', 'venv', made]);
      return new Venv(made, true);
    } catch {
      return null;
    }
  }

  /**
   * @param packages as pip takes them
   * @returns the path of the program; null where it is not there and pip cannot install it
   */
  async find(program: string, packages: readonly string[]): Promise<string | null> {
    const path = join(this.#folder, 'bin', program);
    try {
      if (this.#mayInstall) {
        const args = ['install', '--quiet', '--disable-pip-version-check', ...packages];
        await execute(join(this.#folder, 'bin', 'pip'), args, { timeout: installLimitMs });
      }
      await access(path);
      return path;
    } catch {
      return null;
    }
  }
}
