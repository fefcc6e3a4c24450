/** Statistics of the fields in a sample of documents: frequency, types and lengths. */

import { BsonError, bsonTypes } from '../../bson/types.ts';
import { type BsonBytes, ElementCursor, wrapBytes } from '../../bson/cursor.ts';
import { validateDocument } from '../../bson/raw-value.ts';
import { nameSeenType, type SeenType } from './column-type.ts';

export interface FieldStats {
  /** The names from the document, or from the array element, to the field. */
  readonly path: readonly string[];
  /** The number of documents (or array elements) that have it, including null. */
  count: number;
  /** The count of each type. */
  readonly types: Map<SeenType, number>;
  /** UTF-8 bytes of the longest string; 0 if there is none. */
  longestString: number;
  /** The number of documents with U+0000 in a text of the field, at any depth. */
  nulCount: number;
  /** The fields of embedded documents, down to the given depth. */
  readonly children: ReadonlyMap<string, FieldStats>;
  /** The elements of its arrays, with their fields in `children`; null if there are none, or arrays are not followed. */
  readonly elements: FieldStats | null;
}

export interface SampleStats {
  /** The number of documents, without corrupt ones. */
  readonly documents: number;
  /** The number of corrupt documents. */
  readonly corrupt: number;
  /** Top-level fields by name, in the order of first occurrence; `_id` first, even if there is none. */
  readonly fields: ReadonlyMap<string, FieldStats>;
  /** Fields of embedded documents, down to the given depth. */
  readonly nested: readonly FieldStats[];
}

/** How deep the statistics go. */
export interface StatsDepth {
  /** The maximum of names in a path. */
  readonly names: number;
  /** Whether the elements of arrays are included. */
  readonly arrays: boolean;
}

/** Deeper fields would not be useful columns. */
const usualDepth: StatsDepth = { names: 3, arrays: false };

/** A limit, because keys may be data and then grow without end. */
const maxNestedFields = 5000;

/** @param sample raw documents */
export function gatherStats(sample: readonly Uint8Array[], depth: StatsDepth = usualDepth): SampleStats {
  const gatherer = new Gatherer(depth);
  for (const document of sample) gatherer.add(wrapBytes(document));
  return gatherer;
}

interface Node extends FieldStats {
  /** The last walk that counted it, so that a field that occurs twice in a document counts once. */
  lastWalk: number;
  readonly children: Map<string, Node>;
  elements: Node | null;
  /** It represents the elements of an array. */
  readonly isElement: boolean;
  /** It is an element, or within one. */
  readonly isOfElements: boolean;
}

class Gatherer implements SampleStats {
  documents = 0;
  corrupt = 0;
  readonly fields = new Map<string, Node>();
  readonly nested: Node[] = [];
  readonly #depth: StatsDepth;
  /** One cursor for each nesting level. */
  readonly #cursors: ElementCursor[] = [];
  /** The number of documents walked, including embedded ones. */
  #walks = 0;
  #elementFields = 0;

  constructor(depth: StatsDepth) {
    this.#depth = depth;
    this.fields.set('_id', createNode(['_id']));
  }

  add(source: BsonBytes): void {
    const end = source.bytes.length;
    try {
      // Validated first, so that a corrupt document is not counted in part.
      validateDocument(source.bytes, 0, end);
    } catch (error) {
      if (!(error instanceof BsonError)) throw error;
      this.corrupt++;
      return;
    }
    this.documents++;
    this.#walk(source, 0, end, 0, { path: [], children: this.fields, isOfElements: false });
  }

  /** @returns whether a text in it has U+0000 */
  #walk(source: BsonBytes, start: number, end: number, depth: number, parent: Parent | null): boolean {
    const walk = ++this.#walks;
    const cursor = (this.#cursors[depth] ??= new ElementCursor());
    cursor.open(source.view, start, end);
    let hasNul = false;
    while (cursor.next(null)) {
      const node =
        parent && this.#find(parent, source.bytes.toString('utf8', cursor.nameStart, cursor.nameEnd), walk);
      if (node !== null) node.lastWalk = walk;
      const isHere = this.#measure(source, cursor, depth, node);
      hasNul ||= isHere;
      if (node !== null && isHere) node.nulCount++;
    }
    return hasNul;
  }

  /** Counts a value and what is in it. @returns whether a text in it has U+0000 */
  #measure(source: BsonBytes, cursor: ElementCursor, depth: number, node: Node | null): boolean {
    const { type, valueStart, valueEnd } = cursor;
    const text = isText(type) ? source.bytes.subarray(valueStart + 4, valueEnd - 1) : null;
    if (node !== null) {
      node.count++;
      const name = nameSeenType(source, cursor);
      node.types.set(name, (node.types.get(name) ?? 0) + 1);
      if (text !== null) node.longestString = Math.max(node.longestString, text.length);
    }
    if (text !== null) return text.includes(0);
    if (type === bsonTypes.object) return this.#walk(source, valueStart, valueEnd, depth + 1, node);
    if (type !== bsonTypes.array) return false;
    // Elements that are not followed are walked only for U+0000.
    if (node === null || !this.#depth.arrays || node.isElement) {
      return this.#walk(source, valueStart, valueEnd, depth + 1, null);
    }
    node.elements ??= createNode([], true);
    return this.#walkElements(source, valueStart, valueEnd, depth + 1, node.elements);
  }

  #walkElements(source: BsonBytes, start: number, end: number, depth: number, elements: Node): boolean {
    const cursor = (this.#cursors[depth] ??= new ElementCursor());
    cursor.open(source.view, start, end);
    let hasNul = false;
    while (cursor.next(null)) {
      const isHere = this.#measure(source, cursor, depth, elements);
      hasNul ||= isHere;
    }
    return hasNul;
  }

  /** The field of this name; null if it does not count. */
  #find({ path, children, isOfElements }: Parent, name: string, walk: number): Node | null {
    let node = children.get(name);
    if (node === undefined) {
      // A name that is not UTF-8 cannot be the name of a column.
      if (name.includes('\ufffd')) return null;
      const isNested = path.length > 0;
      const others = isOfElements ? this.#elementFields : this.nested.length;
      const isOneMore = isNested || isOfElements;
      if (isOneMore && (path.length >= this.#depth.names || others >= maxNestedFields)) return null;
      node = createNode([...path, name], false, isOfElements);
      children.set(name, node);
      if (isOfElements) this.#elementFields++;
      else if (isNested) this.nested.push(node);
    }
    return node.lastWalk === walk ? null : node;
  }
}

/** A container of fields: a document, an embedded one, or an element. */
type Parent = Pick<Node, 'path' | 'children' | 'isOfElements'>;

function createNode(path: readonly string[], isElement = false, isOfElements = isElement): Node {
  return {
    path,
    isElement,
    isOfElements,
    count: 0,
    types: new Map(),
    longestString: 0,
    nulCount: 0,
    lastWalk: 0,
    children: new Map(),
    elements: null,
  };
}

function isText(type: number): boolean {
  return type === bsonTypes.string || type === bsonTypes.symbol || type === bsonTypes.javascript;
}
