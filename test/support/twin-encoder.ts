/** Runs the encoder in TypeScript and the core on each batch: their results must be equal. */

import { isDeepStrictEqual } from 'node:util';
import { BsonError } from '../../src/bson/types.ts';
import { createCoreEncoder } from '../../src/transcode/core/core-encoder.ts';
import type { Plan } from '../../src/transcode/plan.ts';
import {
  createRowEncoder,
  type EncodedBatch,
  PlanRowEncoder,
  type RowEncoder,
  type RowEncoderOptions,
} from '../../src/transcode/row.ts';

/** Totals of all instances. */
export const compared = { documents: 0, byCore: 0 };

export class TwinEncoder {
  readonly #plain: RowEncoder;
  readonly #core: RowEncoder;

  constructor(plan: Plan, options: RowEncoderOptions = {}) {
    this.#plain = createRowEncoder(plan, options);
    const onFailure = (reason: string): void => {
      throw new Error(`the core cannot be used: ${reason}`);
    };
    this.#core = createCoreEncoder(plan, { ...options, onFailure });
  }

  /** @throws BsonError if both do, and an Error if they differ */
  encodeBatch(array: Uint8Array): EncodedBatch {
    const expected = attempt(() => this.#plain.encodeBatch(array));
    const before = outside;
    const found = attempt(() => this.#core.encodeBatch(array));
    if (expected instanceof BsonError) {
      if (!(found instanceof BsonError) || found.message !== expected.message) {
        throw new Error(`${expected.message} is not what the core finds`);
      }
      throw expected;
    }
    if (found instanceof BsonError) throw new Error(`only the core finds ${found.message}`);
    const difference = findDifference(expected, found);
    if (difference !== undefined) throw new Error(`the core differs in ${difference}`);
    compared.documents += expected.documentCount;
    compared.byCore += expected.documentCount - (outside - before);
    return found;
  }
}

/** How many documents were encoded in TypeScript. */
let outside = 0;
const encodeDocument = Object.getOwnPropertyDescriptor(PlanRowEncoder.prototype, 'encodeDocument')
  ?.value as PlanRowEncoder['encodeDocument'];
PlanRowEncoder.prototype.encodeDocument = function (...args) {
  outside++;
  encodeDocument.apply(this, args);
};

function attempt(encode: () => EncodedBatch): EncodedBatch | BsonError {
  try {
    return encode();
  } catch (error) {
    if (error instanceof BsonError) return error;
    throw error;
  }
}

function findDifference(expected: EncodedBatch, found: EncodedBatch): string | undefined {
  if (!expected.copy.equals(found.copy)) return `the rows: ${showDifference(expected.copy, found.copy)}`;
  for (const [index, child] of expected.children.entries()) {
    const other = found.children[index];
    if (other === undefined || !child.copy.equals(other.copy)) return `the rows of child ${index}`;
  }
  const [was, is] = [comparable(expected), comparable(found)];
  return Object.keys(was).find((key) => !isDeepStrictEqual(was[key], is[key]));
}

/** The bytes around the first difference. */
function showDifference(expected: Buffer, found: Buffer): string {
  const at = expected.findIndex((byte, index) => byte !== found[index]);
  const [was, is] = [expected, found].map((bytes) => bytes.toString('latin1', Math.max(at - 60, 0), at + 60));
  return `${JSON.stringify(was)} is expected, and not ${JSON.stringify(is)}`;
}

/** Counts have no order; the rows were compared. */
function comparable(batch: EncodedBatch): Readonly<Record<string, unknown>> {
  const { documentCount, rowCount, deadLetters, hasLongKey, extra, children } = batch;
  return {
    documentCount,
    rowCount,
    deadLetters,
    hasLongKey,
    extra: extra.map((count) => JSON.stringify(count)).sort(),
    children: children.map((child) => ({ rowCount: child.rowCount, parents: child.parents })),
  };
}
