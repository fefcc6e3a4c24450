/**
 * A document that is being changed: its fields in order, each kept as raw bytes until an update parses it, so that
 * unchanged parts stay equal to the byte.
 */
import { readFields } from '../../../../../src/bson/raw-value.ts';
import type { RawField, RawValue } from '../../../../../src/bson/raw-value.ts';
import { bsonTypes } from '../../../../../src/bson/types.ts';

export type TreeValue = RawValue | Tree;

interface Field {
  readonly name: string;
  value: TreeValue;
}

export class Tree {
  readonly isArray: boolean;
  readonly fields: Field[];

  constructor(isArray: boolean, fields: Field[] = []) {
    this.isArray = isArray;
    this.fields = fields;
  }

  /** Of an object or an array. */
  static read({ type, bytes, start }: RawValue): Tree {
    const fields = Array.from(readFields(bytes, start), (value): Field => ({ name: value.name, value }));
    return new Tree(type === bsonTypes.array, fields);
  }

  /** The document at `start`. */
  static readDocument(bytes: Buffer, start: number): Tree {
    return Tree.read({ type: bsonTypes.object, bytes, start, end: 0 });
  }

  get(name: string): TreeValue | undefined {
    return this.#find(name)?.value;
  }

  /** In place of the field of this name, or behind all others; an array is filled up with nulls. */
  set(name: string, value: TreeValue): void {
    if (this.isArray) {
      for (let index = this.fields.length; index <= Number(name); index++) {
        this.fields.push({ name: String(index), value: nullValue });
      }
    }
    const field = this.#find(name);
    if (field === undefined) {
      this.fields.push({ name, value });
    } else {
      field.value = value;
    }
  }

  /** False when there is none; an element of an array leaves a null. */
  remove(name: string): boolean {
    const field = this.#find(name);
    if (field === undefined) {
      return false;
    }
    if (this.isArray) {
      field.value = nullValue;
    } else {
      this.fields.splice(this.fields.indexOf(field), 1);
    }
    return true;
  }

  /** The child of this name, to be changed, if it is an object or an array. */
  open(name: string): Tree | undefined {
    const field = this.#find(name);
    if (field === undefined || field.value instanceof Tree) {
      return field?.value as Tree | undefined;
    }
    if (field.value.type !== bsonTypes.object && field.value.type !== bsonTypes.array) {
      return undefined;
    }
    const tree = Tree.read(field.value);
    field.value = tree;
    return tree;
  }

  encode(): Buffer {
    const bytes = Buffer.allocUnsafe(measure(this));
    write(this, bytes, 0);
    return bytes;
  }

  #find(name: string): Field | undefined {
    if (this.isArray) {
      return this.fields[Number(name)];
    }
    return this.fields.find((field) => field.name === name);
  }
}

/** The value as bytes: a tree is encoded. */
export function toRaw(value: TreeValue): RawValue {
  if (!(value instanceof Tree)) {
    return value;
  }
  const bytes = value.encode();
  return { type: value.isArray ? bsonTypes.array : bsonTypes.object, bytes, start: 0, end: bytes.length };
}

export function isSameBytes(a: RawValue, b: RawValue): boolean {
  return a.type === b.type && a.bytes.compare(b.bytes, b.start, b.end, a.start, a.end) === 0;
}

const nullValue: RawValue = { type: bsonTypes.null, bytes: Buffer.alloc(0), start: 0, end: 0 };

function measure(tree: Tree): number {
  let total = 5;
  for (const [index, { name, value }] of tree.fields.entries()) {
    total += tree.isArray ? 2 + String(index).length : 2 + nameBytes(name, value);
    total += value instanceof Tree ? measure(value) : value.end - value.start;
  }
  return total;
}

function write(tree: Tree, bytes: Buffer, start: number): number {
  let offset = start + 4;
  for (const [index, { name, value }] of tree.fields.entries()) {
    bytes[offset++] =
      value instanceof Tree ? (value.isArray ? bsonTypes.array : bsonTypes.object) : value.type;
    if (tree.isArray) {
      offset += bytes.write(String(index), offset, 'latin1');
    } else if (isNamed(name, value)) {
      offset += value.bytes.copy(bytes, offset, value.nameStart, value.start - 1);
    } else {
      offset += bytes.write(name, offset);
    }
    bytes[offset++] = 0;
    if (value instanceof Tree) {
      offset = write(value, bytes, offset);
    } else {
      offset += value.bytes.copy(bytes, offset, value.start, value.end);
    }
  }
  bytes[offset++] = 0;
  bytes.writeInt32LE(offset - start, start);
  return offset;
}

/** Whether the bytes of the name lie before those of the value: it need not be valid UTF-8. */
function isNamed(name: string, value: TreeValue): value is RawField {
  return !(value instanceof Tree) && 'nameStart' in value && (value as RawField).name === name;
}

function nameBytes(name: string, value: TreeValue): number {
  return isNamed(name, value) ? value.start - 1 - value.nameStart : Buffer.byteLength(name);
}
