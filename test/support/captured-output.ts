/** Captures the output of a command that runs as a function. */

import { Writable } from 'node:stream';
import { Output } from '../../src/cli/output.ts';

export class CapturedOutput {
  readonly #stdout: Buffer[] = [];
  readonly #stderr: Buffer[] = [];
  readonly output = new Output(hearInto(this.#stdout), hearInto(this.#stderr));

  get texts(): { stdout: string; stderr: string } {
    return { stdout: Buffer.concat(this.#stdout).toString(), stderr: Buffer.concat(this.#stderr).toString() };
  }
}

function hearInto(parts: Buffer[]): Writable {
  return new Writable({
    write: (part: Buffer, _encoding, done) => {
      parts.push(part);
      done();
    },
  });
}
