/** Finds the end of JSON values without parsing them. */

const quote = 0x22;
const backslash = 0x5c;
const openBrace = 0x7b;
const openBracket = 0x5b;

export function skipSpace(json: Buffer, from: number): number {
  let at = from;
  for (
    let byte = json[at];
    byte === 0x20 || (byte !== undefined && byte >= 0x09 && byte <= 0x0d);
    byte = json[at]
  ) {
    at++;
  }
  return at;
}

/** The end of the object or array at `start`; the end of the bytes if it has none. */
export function skipValue(json: Buffer, start: number): number {
  const end = new ObjectScanner().scan(json, start);
  return end < 0 ? json.byteLength : end;
}

/** Finds the end of one object or array, whose bytes may arrive in pieces. */
export class ObjectScanner {
  #depth = 0;
  #isText = false;
  #isEscaped = false;

  /** @returns the index after its end; -1 if all of `bytes` were scanned and the end is still to come */
  scan(bytes: Buffer, from: number): number {
    let [depth, isText, isEscaped] = [this.#depth, this.#isText, this.#isEscaped];
    const { length } = bytes;
    for (let at = from; at < length; at++) {
      const byte = bytes[at] ?? 0;
      if (isText) {
        if (isEscaped) isEscaped = false;
        else if (byte === backslash) isEscaped = true;
        else if (byte === quote) isText = false;
      } else if (byte === quote) {
        isText = true;
      }
      // In ASCII, a closing bracket is the opening one plus two.
      else if (byte === openBrace || byte === openBracket) {
        depth++;
      } else if (byte === openBrace + 2 || byte === openBracket + 2) {
        if (--depth <= 0) {
          this.#depth = 0;
          this.#isText = false;
          return at + 1;
        }
      }
    }
    this.#depth = depth;
    this.#isText = isText;
    this.#isEscaped = isEscaped;
    return -1;
  }
}
