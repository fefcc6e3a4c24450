/** What is wrong in a document's JSON, and at which byte of it. */

export class JsonError extends Error {
  readonly offset: number;

  constructor(problem: string, offset: number) {
    super(problem);
    this.offset = offset;
  }
}
