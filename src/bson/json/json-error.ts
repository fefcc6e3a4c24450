/** An error in the JSON of a document, with its offset in bytes. */

export class JsonError extends Error {
  readonly offset: number;

  constructor(problem: string, offset: number) {
    super(problem);
    this.offset = offset;
  }
}
