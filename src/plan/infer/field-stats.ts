/** What a sample of documents shows about each field: how often it is there, with which types, and how long. */

import { bsonTypes } from '../../bson/types.ts';
import { type BsonBytes, ElementCursor, wrapBytes } from '../../bson/cursor.ts';
import { nameSeenType, type SeenType } from './column-type.ts';

export interface FieldStats {
  /** The names that lead to the field from the document. */
  readonly path: readonly string[];
  /** In how many documents it is, null included. */
  count: number;
  /** In how many documents it has which type. */
  readonly types: Map<SeenType, number>;
  /** UTF-8 bytes of the longest string; 0 when there is none. */
  longestString: number;
  /** How many documents have U+0000 in a text of the field, at any depth. */
  nulCount: number;
}

export interface SampleStats {
  /** How many documents were looked at. */
  readonly documents: number;
  /** How many more were corrupt, and left out. */
  readonly corrupt: number;
  /** Top-level fields by name, in the order in which they were met; `_id` first, even if there is none. */
  readonly fields: ReadonlyMap<string, FieldStats>;
  /** Fields of embedded documents, as far as they are followed. */
  readonly nested: readonly FieldStats[];
}

/** Deeper fields make no columns that anyone would want. */
const maxNestedDepth = 3;

/** Where keys are data, there is no end of them. */
const maxNestedFields = 5000;

/** MongoDB's own limit is 100; a hostile document must not exhaust the stack. */
const maxDepth = 200;

/** @param sample raw documents */
export function gatherStats(sample: readonly Uint8Array[]): SampleStats {
  const gatherer = new Gatherer();
  for (const document of sample) gatherer.add(wrapBytes(document));
  return gatherer;
}

interface Node extends FieldStats {
  /** The last document that has the field, so that a field which is there twice counts once. */
  lastDocument: number;
  readonly children: Map<string, Node>;
}

class Gatherer implements SampleStats {
  documents = 0;
  corrupt = 0;
  readonly fields = new Map<string, Node>();
  readonly nested: Node[] = [];
  /** One for each level of nesting. */
  readonly #cursors: ElementCursor[] = [];

  constructor() {
    this.fields.set('_id', createNode(['_id']));
  }

  add(source: BsonBytes): void {
    const end = source.bytes.length;
    try {
      // First without counting: what is corrupt further on must not count halfway.
      this.#walk(source, 0, end, 0, null);
    } catch {
      this.corrupt++;
      return;
    }
    this.documents++;
    this.#walk(source, 0, end, 0, { path: [], children: this.fields });
  }

  /** @returns whether a text inside has U+0000 */
  #walk(
    source: BsonBytes,
    start: number,
    end: number,
    depth: number,
    parent: Pick<Node, 'path' | 'children'> | null,
  ): boolean {
    if (depth > maxDepth) throw new RangeError('nested too deeply');
    const cursor = (this.#cursors[depth] ??= new ElementCursor());
    cursor.open(source.view, start, end);
    let hasNul = false;
    while (cursor.next(null)) {
      const node =
        parent && this.#find(parent, source.bytes.toString('utf8', cursor.nameStart, cursor.nameEnd));
      const isHere = this.#measure(source, cursor, depth, node);
      hasNul ||= isHere;
      if (node !== null && isHere) node.nulCount++;
    }
    return hasNul;
  }

  /** Counts a value, and goes into it. @returns whether a text in it has U+0000 */
  #measure(source: BsonBytes, cursor: ElementCursor, depth: number, node: Node | null): boolean {
    const { type, valueStart, valueEnd } = cursor;
    const text = isText(type) ? source.bytes.subarray(valueStart + 4, valueEnd - 1) : null;
    if (node !== null) {
      node.lastDocument = this.documents;
      node.count++;
      const name = nameSeenType(source, cursor);
      node.types.set(name, (node.types.get(name) ?? 0) + 1);
      if (text !== null) node.longestString = Math.max(node.longestString, text.length);
    }
    if (text !== null) return text.includes(0);
    if (type !== bsonTypes.object && type !== bsonTypes.array) return false;
    // The elements of an array are no fields.
    const inside = type === bsonTypes.object ? node : null;
    return this.#walk(source, valueStart, valueEnd, depth + 1, inside);
  }

  /** The field of this name, or null when it does not count. */
  #find({ path, children }: Pick<Node, 'path' | 'children'>, name: string): Node | null {
    let node = children.get(name);
    if (node === undefined) {
      // A name that is not UTF-8 cannot be the name of a column.
      if (name.includes('\ufffd')) return null;
      const isNested = path.length > 0;
      if (isNested && (path.length >= maxNestedDepth || this.nested.length >= maxNestedFields)) return null;
      node = createNode([...path, name]);
      children.set(name, node);
      if (isNested) this.nested.push(node);
    }
    return node.lastDocument === this.documents ? null : node;
  }
}

function createNode(path: readonly string[]): Node {
  return {
    path,
    count: 0,
    types: new Map(),
    longestString: 0,
    nulCount: 0,
    lastDocument: 0,
    children: new Map(),
  };
}

function isText(type: number): boolean {
  return type === bsonTypes.string || type === bsonTypes.symbol || type === bsonTypes.javascript;
}
