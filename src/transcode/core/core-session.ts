/** A plan that is loaded into the core, and the batches that are encoded there. */

import { type BsonBytes, DocumentCursor, wrapBytes } from '../../bson/cursor.ts';
import { copyHeader, copyTrailer } from '../copy/copy-format.ts';
import type { EncodedChild } from '../child-rows.ts';
import type { ExtraReason } from '../extra-counter.ts';
import type { FieldLevel } from '../field-level.ts';
import type { Plan } from '../plan.ts';
import type { EncodedBatch, PlanRowEncoder } from '../row.ts';
import type { RowLimits, RowWriter } from '../row-writer.ts';
import * as codes from './codes.ts';
import type { CoreLevel } from './core-level.ts';
import type { CoreNames } from './core-names.ts';
import { type CoreTables, describePlan } from './core-tables.ts';
import type { Core } from './module.ts';

/** If at least this many documents of a batch were refused, and this share of all, the rest is encoded in TypeScript. */
const manyRefused = 64;
const refusedShare = 0.25;

/** Memory up to this size is always kept: pages have at most 16 MB, and rows about as much. */
const keptBytes = 64 * 1024 * 1024;

const trailer = Buffer.alloc(2);
trailer.writeInt16BE(copyTrailer);

const reasons: Readonly<Record<number, ExtraReason>> = {
  [codes.reasonNoColumn]: 'no_column',
  [codes.reasonMisfit]: 'does_not_fit',
  [codes.reasonDropped]: 'dropped',
  [codes.reasonEmpty]: 'empty',
};

/** The names of a level in the core, and the same level in TypeScript. */
interface Naming {
  readonly names: CoreNames;
  readonly fields: FieldLevel;
  readonly writer: RowWriter;
  /** How many of the level's unplanned names the core knows. */
  namesKnown: number;
}

function listNamings(level: CoreLevel, fields: FieldLevel, writer: RowWriter): Naming[] {
  const inside = fields.levels.flatMap((inner) => {
    const found = level.find(inner.name);
    if (found === undefined) throw new RangeError('a level that the core has not');
    return listNamings(found, inner, writer);
  });
  return [{ names: level.names, fields, writer, namesKnown: 0 }, ...inside];
}

export class CoreSession {
  /** Why the core must be reset: it has no memory, or the documents have too many names. */
  end: 'memory' | 'names' | undefined;
  /** Whether an earlier batch has used far more memory than the last one. */
  isWasteful = false;
  readonly #core: Core;
  readonly #tables: CoreTables;
  readonly #plain: PlanRowEncoder;
  readonly #maxRowBytes: number;
  readonly #namings: readonly Naming[];
  /** The core's memory; another array once it grows. */
  #memory = Buffer.alloc(0);

  private constructor(core: Core, tables: CoreTables, plain: PlanRowEncoder, limits: RowLimits) {
    this.#core = core;
    this.#tables = tables;
    this.#plain = plain;
    this.#maxRowBytes = limits.maxRowBytes;
    const children = plain.children.map(({ writer }) => writer);
    this.#namings = [tables.main, ...tables.children].flatMap(({ level }, index) => {
      const writer = index === 0 ? plain.writer : children[index - 1];
      if (writer === undefined) throw new RangeError('a table without a writer');
      return listNamings(level, writer.fields, writer);
    });
  }

  /** Null if the core does not support the plan. */
  static open(core: Core, plan: Plan, limits: RowLimits, plain: PlanRowEncoder): CoreSession | null {
    const tables = describePlan(core, plan, limits);
    return tables === null ? null : new CoreSession(core, tables, plain, limits);
  }

  /** Null if the whole batch must be encoded in TypeScript. The result is valid until the next batch. */
  encode(array: Uint8Array): EncodedBatch | null {
    const core = this.#core;
    const start = core.openBatch(array.byteLength);
    if (start === 0) return this.#end('memory');
    this.#bytes().set(array, start);
    if (core.checkBatch() === 0) return null;
    this.#plain.begin();
    if (!this.#learnNames()) return this.#end('names');
    for (const region of this.#outputs()) if (!this.#append(region, copyHeader)) return this.#end('memory');
    const source = wrapBytes(array);
    let refused = 0;
    for (;;) {
      const outcome = core.run(this.#tables.main.table, this.#maxRowBytes);
      if (outcome === codes.batchEnded) return this.#finish(core.ordinal.value);
      if (outcome === codes.batchRefused) return null;
      if (outcome === codes.memoryRefused) return this.#end('memory');
      const ordinal = core.ordinal.value;
      const document = { start: core.documentStart.value - start, end: core.documentEnd.value - start };
      refused++;
      if (refused >= manyRefused && refused > ordinal * refusedShare) {
        return this.#encodeRest(array, source, document, ordinal);
      }
      this.#plain.encodeDocument(source, document.start, document.end, ordinal);
      if (!this.#takeRows()) return this.#end('memory');
      if (!this.#learnNames()) return this.#end('names');
      core.skipDocument();
    }
  }

  /** Encodes the batch from the document on. Throws a BsonError as for the whole batch. */
  #encodeRest(
    array: Uint8Array,
    source: BsonBytes,
    first: { readonly start: number; readonly end: number },
    ordinal: number,
  ): EncodedBatch | null {
    this.#plain.encodeDocument(source, first.start, first.end, ordinal);
    const cursor = new DocumentCursor(array);
    cursor.end = first.end;
    let count = ordinal + 1;
    for (; cursor.next(); count++) this.#plain.encodeDocument(source, cursor.start, cursor.end, count);
    return this.#takeRows() ? this.#finish(count) : this.#end('memory');
  }

  #end(reason: 'memory' | 'names'): null {
    this.end = reason;
    return null;
  }

  #bytes(): Buffer {
    const { buffer } = this.#core.memory;
    // When the memory grows, the old buffer is detached.
    if (this.#memory.buffer !== buffer) this.#memory = Buffer.from(buffer);
    return this.#memory;
  }

  #outputs(): number[] {
    return [this.#tables.main, ...this.#tables.children].map(({ output }) => output);
  }

  /** False if there is no memory. */
  #append(region: number, bytes: Uint8Array): boolean {
    const at = this.#core.extend(region, bytes.byteLength);
    if (at === 0) return false;
    this.#bytes().set(bytes, at);
    return true;
  }

  /** Puts in their place the rows that were written outside. False if there is no memory. */
  #takeRows(): boolean {
    if (!this.#append(this.#tables.main.output, this.#plain.takeRows())) return false;
    return this.#tables.children.every(({ output, parents: region }, index) => {
      const taken = this.#plain.children[index]?.takeRows();
      if (taken === undefined) return true;
      const parents = new Uint8Array(Uint32Array.from(taken.parents).buffer);
      return this.#append(output, taken.rows) && this.#append(region, parents);
    });
  }

  /** Adds names that were found in TypeScript to the core. False if they are too many. */
  #learnNames(): boolean {
    return this.#namings.every((naming) => {
      const { unplanned } = naming.fields;
      if (unplanned.length < naming.namesKnown) return false;
      while (naming.namesKnown < unplanned.length && naming.names.hasRoom) {
        if (!naming.names.learn(unplanned[naming.namesKnown++] ?? '')) return false;
      }
      return true;
    });
  }

  #takeCounts(): void {
    const core = this.#core;
    const length = core.countCounts();
    for (let index = 0; index < length; index++) {
      const count = core.takeCount(index);
      if (count === 0) continue;
      const name = core.countName(index);
      const naming = this.#namings.find(({ names }) => names.texts.has(name));
      const text = naming?.names.texts.get(name);
      const reason = reasons[core.countReason(index)];
      if (naming === undefined || text === undefined || reason === undefined) {
        throw new RangeError('the core has counted an unknown name');
      }
      naming.writer.counter.addCounted(text, core.countType(index), reason, count);
    }
  }

  #finish(documentCount: number): EncodedBatch | null {
    this.#takeCounts();
    for (const region of this.#outputs()) if (!this.#append(region, trailer)) return this.#end('memory');
    const { children, ...outside } = this.#plain.finish(documentCount);
    const copy = this.#read(this.#tables.main.output);
    const encoded = {
      ...outside,
      copy,
      children: children.map((child, index) => this.#readChild(index) ?? child),
    };
    const used = copy.byteLength + encoded.children.reduce((sum, child) => sum + child.copy.byteLength, 0);
    const memoryBytes = this.#bytes().byteLength;
    this.isWasteful = memoryBytes > keptBytes && used * 2 < memoryBytes / 4;
    return encoded;
  }

  #read(region: number): Buffer {
    return this.#bytes().subarray(this.#core.startOf(region), this.#core.endOf(region));
  }

  #readChild(index: number): EncodedChild | undefined {
    const child = this.#tables.children[index];
    if (child === undefined) return undefined;
    const { byteOffset, byteLength, buffer } = this.#read(child.parents);
    const parents = Array.from(new Uint32Array(buffer, byteOffset, byteLength / 4));
    return { copy: this.#read(child.output), rowCount: parents.length, parents };
  }
}
