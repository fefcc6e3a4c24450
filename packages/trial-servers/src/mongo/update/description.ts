/** The update description of an event: `{updatedFields, removedFields, truncatedArrays}`, and ambiguous paths. */
import type { Document } from 'bson';
import { readFields } from '../../../../../src/bson/raw-value.ts';
import type { RawValue } from '../../../../../src/bson/raw-value.ts';
import { bsonTypes } from '../../../../../src/bson/types.ts';
import { isSameBytes, Tree, toRaw } from './document-tree.ts';
import type { TreeValue } from './document-tree.ts';
import { readPath } from './path.ts';
import type { Path } from './path.ts';
import { encodeInt, encodeValue } from './values.ts';

export interface Truncation {
  readonly path: Path;
  readonly newSize: number;
}

/** The paths that an update has changed, each once, and none below another. */
export class ChangedPaths {
  readonly #paths = new Map<string, Path>();
  readonly truncations: Truncation[] = [];

  add(path: Path): void {
    for (let length = 1; length < path.length; length++) {
      if (this.#paths.has(path.slice(0, length).join('\0'))) {
        return;
      }
    }
    this.#paths.set(path.join('\0'), path);
  }

  get isEmpty(): boolean {
    return this.#paths.size === 0 && this.truncations.length === 0;
  }

  /** By the values that the document has after the update. */
  describe(after: Tree): Buffer {
    const updated = new Tree(false);
    const removed = new Tree(true);
    const ambiguous = new Tree(false);
    for (const path of this.#paths.values()) {
      const name = path.join('.');
      const value = readPath(after, path);
      if (value === undefined) {
        removed.fields.push({ name: '', value: encodeValue(name) });
      } else {
        updated.fields.push({ name, value: stripName(value) });
      }
      if (isAmbiguous(path)) {
        ambiguous.fields.push({ name, value: splitPath(after, path) });
      }
    }
    const description = new Tree(false);
    description.set('updatedFields', updated);
    description.set('removedFields', removed);
    description.set('truncatedArrays', encodeValue(this.truncations.map(describeTruncation)));
    if (ambiguous.fields.length > 0) {
      description.set('disambiguatedPaths', ambiguous);
    }
    return description.encode();
  }
}

/** Compares two documents, as mongod does for updates by a pipeline. */
export function findChanges(before: RawValue, after: RawValue): ChangedPaths {
  const changes = new ChangedPaths();
  compareObjects(before, after, [], changes);
  return changes;
}

function compareObjects(before: RawValue, after: RawValue, path: Path, changes: ChangedPaths): void {
  const old = new Map(Array.from(readFields(before.bytes, before.start), (field) => [field.name, field]));
  for (const field of readFields(after.bytes, after.start)) {
    compareValues(old.get(field.name), field, [...path, field.name], changes);
    old.delete(field.name);
  }
  for (const name of old.keys()) {
    changes.add([...path, name]);
  }
}

function compareArrays(before: RawValue, after: RawValue, path: Path, changes: ChangedPaths): void {
  const old = [...readFields(before.bytes, before.start)];
  const now = [...readFields(after.bytes, after.start)];
  for (const [index, element] of now.entries()) {
    compareValues(old[index], element, [...path, String(index)], changes);
  }
  if (now.length < old.length) {
    changes.truncations.push({ path, newSize: now.length });
  }
}

function compareValues(
  before: RawValue | undefined,
  after: RawValue,
  path: Path,
  changes: ChangedPaths,
): void {
  if (before?.type !== after.type) {
    changes.add(path);
  } else if (isSameBytes(before, after)) {
    return;
  } else if (after.type === bsonTypes.object) {
    compareObjects(before, after, path, changes);
  } else if (after.type === bsonTypes.array) {
    compareArrays(before, after, path, changes);
  } else {
    changes.add(path);
  }
}

function describeTruncation({ path, newSize }: Truncation): Document {
  return { field: path.join('.'), newSize };
}

/** A name that is a number, or that has a dot in it: the path joined by dots can be read in two ways. */
function isAmbiguous(path: Path): boolean {
  return path.some((name) => name.includes('.') || /^\d+$/.test(name));
}

/** Names as strings, indexes of arrays as numbers. */
function splitPath(after: Tree, path: Path): Tree {
  const parts = new Tree(true);
  let parent: Tree | undefined = after;
  for (const name of path) {
    parts.fields.push({
      name: '',
      value: parent?.isArray === true ? encodeInt(Number(name)) : encodeValue(name),
    });
    parent = parent?.open(name);
  }
  return parts;
}

/** Without the name that it has in its document, since here it has another one. */
function stripName(value: TreeValue): RawValue {
  const { type, bytes, start, end } = toRaw(value);
  return { type, bytes, start, end };
}
