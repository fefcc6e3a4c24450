/** Modules for tests, in a folder that is removed after the test. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export class ModuleFiles {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async create(): Promise<ModuleFiles> {
    return new ModuleFiles(await mkdtemp(join(tmpdir(), 'mongo2pg-modules-')));
  }

  /** @returns its path */
  async write(name: string, text: string): Promise<string> {
    const file = join(this.folder, name);
    await writeFile(file, text);
    return file;
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true });
  }
}
