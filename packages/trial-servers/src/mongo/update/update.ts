/** Parses the update of a document: operators, a replacement, or a pipeline, and applies it. */
import { findValue, readFields, readInt32 } from '../../../../../src/bson/raw-value.ts';
import { guessName } from '../../../../../src/bson/cursor.ts';
import type { RawField, RawValue } from '../../../../../src/bson/raw-value.ts';
import { bsonTypes } from '../../../../../src/bson/types.ts';
import { compareRaw, type TextOrder } from '../../../../../src/bson/match/compare.ts';
import type { DocumentRef } from '../storage/collection.ts';
import { CommandError, ErrorCode, notImplemented } from '../errors.ts';
import { parseAssignments, parseExpression, parseUnset, removeAt } from '../expressions.ts';
import { isIdFirst, maxDocumentBytes, prepareDocument } from '../storage/stored-document.ts';
import { ChangedPaths, findChanges } from './description.ts';
import { Tree } from './document-tree.ts';
import { parseModifier } from './operators.ts';
import type { Modifier } from './operators.ts';

/** The result for a document. */
export interface Updated {
  readonly kind: 'update' | 'replace';
  /** The whole document, with its `_id` in front. */
  readonly after: Buffer;
  /** `{updatedFields, removedFields, …}` of an update. */
  readonly description: Buffer | undefined;
}

export interface Update {
  /** Undefined when the document stays as it is. */
  apply(before: DocumentRef): Updated | undefined;
  /** The document to insert, made of what the filter says of it, which may be without an `_id`. */
  create(base: Tree): Buffer;
  /** Whether it sets some fields rather than everything: only such an update may be for several documents. */
  readonly isPartial: boolean;
}

/** @param order of texts, where operators compare values */
export function parseUpdate(update: RawField, order: TextOrder): Update {
  if (update.type === bsonTypes.array) {
    return parsePipeline(update);
  }
  if (update.type !== bsonTypes.object) {
    throw new CommandError(ErrorCode.failedToParse, 'Update argument must be either an object or an array');
  }
  const [first] = readFields(update.bytes, update.start);
  return first?.name.startsWith('$') === true ? parseOperators(update, order) : parseReplacement(update);
}

function parseOperators(update: RawField, order: TextOrder): Update {
  const modifiers: Modifier[] = [];
  for (const operator of readFields(update.bytes, update.start)) {
    if (operator.type !== bsonTypes.object) {
      throw new CommandError(
        ErrorCode.failedToParse,
        `Modifiers operate on fields but we found another type instead. For example: {$mod: {<field>: ...}} not {${operator.name}: ...}`,
      );
    }
    for (const field of readFields(operator.bytes, operator.start)) {
      modifiers.push(...parseModifier(operator.name, field, order));
    }
  }
  refuseConflicts(modifiers);
  // New fields are in the order of their names, as with mongod; fields that $rename removes come first.
  modifiers.sort(
    (a, b) => Number(b.operator === '$rename') - Number(a.operator === '$rename') || comparePaths(a, b),
  );
  const always = modifiers.filter(({ operator }) => operator !== '$setOnInsert');
  return {
    isPartial: true,
    apply(before) {
      const tree = Tree.readDocument(before.bytes, before.start);
      const changes = new ChangedPaths();
      applyAll(always, tree, changes);
      return changes.isEmpty ? undefined : finishUpdate(before, tree.encode(), changes, tree);
    },
    create(base) {
      applyAll(modifiers, base, new ChangedPaths());
      return base.encode();
    },
  };
}

function applyAll(modifiers: readonly Modifier[], tree: Tree, changes: ChangedPaths): void {
  for (const modifier of modifiers) {
    modifier.apply(tree, (path) => {
      changes.add(path);
    });
  }
}

function finishUpdate(before: DocumentRef, encoded: Buffer, changes: ChangedPaths, tree: Tree): Updated {
  const after = finish(before, encoded);
  return { kind: 'update', after, description: changes.describe(tree) };
}

/** The `_id` stays, and stands in front. */
function finish(before: DocumentRef, encoded: Buffer): Buffer {
  if (encoded.length > maxDocumentBytes) {
    throw new CommandError(17419, `Resulting document after update is larger than ${maxDocumentBytes}`);
  }
  const id = idOf(before.bytes, before.start);
  const newId = findValue(encoded, 0, idName);
  if (newId === undefined || compareRaw(id, newId) !== 0) {
    throw new CommandError(
      ErrorCode.immutableField,
      "Performing an update on the path '_id' would modify the immutable field '_id'",
    );
  }
  if (isIdFirst(encoded, 0)) {
    return encoded;
  }
  const { bytes, start, end } = prepareDocument(encoded, 0, encoded.length);
  return bytes.subarray(start, end);
}

function parseReplacement(replacement: RawField): Update {
  const fields = [...readFields(replacement.bytes, replacement.start)];
  const operator = fields.find(({ name }) => name.startsWith('$'));
  if (operator !== undefined) {
    throw new CommandError(
      ErrorCode.dollarPrefixedFieldName,
      `The dollar ($) prefixed field '${operator.name}' is not allowed in the context of an update's replacement document. Consider using an aggregation pipeline with $replaceWith.`,
    );
  }
  const rest = fields.filter(({ name }) => name !== '_id').map((value) => ({ name: value.name, value }));
  const newId = fields.find(({ name }) => name === '_id');
  const withId = (id: RawField | undefined): Buffer =>
    new Tree(false, [...(id === undefined ? [] : [{ name: '_id', value: id }]), ...rest]).encode();
  return {
    isPartial: false,
    apply(before) {
      const id = idOf(before.bytes, before.start);
      if (newId !== undefined && compareRaw(id, newId) !== 0) {
        throw new CommandError(
          ErrorCode.immutableField,
          "After applying the update, the (immutable) field '_id' was found to have been altered",
        );
      }
      const after = finish(before, withId(id));
      // Compared with what was sent: without its `_id` it is another document, as with mongod.
      const isSame = newId !== undefined && isSameDocument(before, after);
      return isSame ? undefined : { kind: 'replace', after, description: undefined };
    },
    create(base) {
      const filterId = base.get('_id');
      const id = newId ?? (filterId === undefined || filterId instanceof Tree ? undefined : filterId);
      return withId(id as RawField | undefined);
    },
  };
}

function isSameDocument(before: DocumentRef, after: Buffer): boolean {
  const end = before.start + readInt32(before.bytes, before.start);
  return after.equals(before.bytes.subarray(before.start, end));
}

type Reshape = (document: Buffer) => Buffer;

function parsePipeline(pipeline: RawField): Update {
  const stages = Array.from(readFields(pipeline.bytes, pipeline.start), parseReshape);
  const run = (document: Buffer): Buffer => stages.reduce((current, stage) => stage(current), document);
  return {
    isPartial: true,
    apply(before) {
      const end = before.start + readInt32(before.bytes, before.start);
      const document = before.bytes.subarray(before.start, end);
      const reshaped = run(document);
      const id = idOf(before.bytes, before.start);
      const tree = Tree.readDocument(reshaped, 0);
      if (tree.get('_id') === undefined) {
        tree.fields.unshift({ name: '_id', value: id });
      }
      const after = finish(before, tree.encode());
      const [old, now] = [document, after].map((bytes) => ({
        type: bsonTypes.object,
        bytes,
        start: 0,
        end: bytes.length,
      })) as [RawValue, RawValue];
      const changes = findChanges(old, now);
      if (changes.isEmpty) {
        return after.equals(document) ? undefined : { kind: 'replace', after, description: undefined };
      }
      return { kind: 'update', after, description: changes.describe(Tree.readDocument(after, 0)) };
    },
    create: (base) => run(base.encode()),
  };
}

function parseReshape(stage: RawField): Reshape {
  const fields = stage.type === bsonTypes.object ? [...readFields(stage.bytes, stage.start)] : [];
  const [spec] = fields;
  if (spec === undefined || fields.length > 1) {
    throw new CommandError(40323, 'A pipeline stage specification object must contain exactly one field.');
  }
  switch (spec.name) {
    case '$set':
    case '$addFields': {
      const assign = parseAssignments(spec);
      return (document) => {
        const tree = Tree.readDocument(document, 0);
        assign(tree, document, 0);
        return tree.encode();
      };
    }
    case '$unset': {
      const paths = parseUnset(spec);
      return (document) => {
        const tree = Tree.readDocument(document, 0);
        for (const path of paths) {
          removeAt(tree, path);
        }
        return tree.encode();
      };
    }
    case '$replaceWith':
    case '$replaceRoot': {
      const root = spec.name === '$replaceRoot' ? readNewRoot(spec) : spec;
      const expression = parseExpression(root);
      return (document) => {
        const value = expression(document, 0);
        if (value instanceof Tree && !value.isArray) {
          return value.encode();
        }
        if (value !== undefined && !(value instanceof Tree) && value.type === bsonTypes.object) {
          return value.bytes.subarray(value.start, value.start + readInt32(value.bytes, value.start));
        }
        throw new CommandError(40228, "'newRoot' expression must evaluate to an object");
      };
    }
    default:
      throw notImplemented(`the stage ${spec.name} in an update`);
  }
}

function readNewRoot(spec: RawField): RawValue {
  const root =
    spec.type === bsonTypes.object ? findValue(spec.bytes, spec.start, guessName('newRoot')) : undefined;
  if (root === undefined) {
    throw new CommandError(40231, 'no newRoot specified for the $replaceRoot stage');
  }
  return root;
}

function refuseConflicts(modifiers: readonly Modifier[]): void {
  const texts = modifiers.map(({ path }) => path.join('.'));
  for (const [index, text] of texts.entries()) {
    const other = texts.find(
      (known, position) => position !== index && (known === text || known.startsWith(`${text}.`)),
    );
    if (other !== undefined) {
      throw new CommandError(
        ErrorCode.conflictingUpdateOperators,
        `Updating the path '${other}' would create a conflict at '${text}'`,
      );
    }
  }
}

function comparePaths(a: Modifier, b: Modifier): number {
  for (const [index, name] of a.path.entries()) {
    const other = b.path[index];
    if (other === undefined) {
      return 1;
    }
    if (name !== other) {
      const areNumbers = /^\d+$/.test(name) && /^\d+$/.test(other);
      return (areNumbers ? Number(name) - Number(other) : 0) || (name < other ? -1 : 1);
    }
  }
  return -1;
}

function idOf(bytes: Buffer, start: number): RawField {
  // A stored document begins with its _id.
  const [id] = readFields(bytes, start);
  if (id === undefined) {
    throw new RangeError('a stored document is empty');
  }
  return id;
}

const idName = guessName('_id');
