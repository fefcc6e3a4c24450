/** The stages after `$changeStream`: each returns the event, another one, or none. */
import { readFields } from '../../../../../src/bson/raw-value.ts';
import type { RawField } from '../../../../../src/bson/raw-value.ts';
import { bsonTypes } from '../../../../../src/bson/types.ts';
import { matchesDocument, parseFilter } from '../../../../../src/bson/match/filter.ts';
import type { DocumentRef } from '../storage/collection.ts';
import { CommandError, ErrorCode, notImplemented } from '../errors.ts';
import { parseAssignments, parseExpression, parseUnset, removeAt } from '../expressions.ts';
import { unsupportedStages } from '../query/pipeline.ts';
import { parseProjection } from '../query/projection.ts';
import { Tree, toRaw } from '../update/document-tree.ts';
import { parseNestedProjection } from './nested-projection.ts';

export type EventStage = (event: DocumentRef) => DocumentRef | undefined;

/** Allowed by mongod, and not known here. */
const allowedStages = new Set(['$redact', '$changeStreamSplitLargeEvent']);
const otherStages = new Set('$match $limit $skip $sample $count $group $sort $project $collStats'.split(' '));

export interface ParsedStage {
  readonly run: EventStage;
  /** Whether it makes other documents of events, rather than filter them. */
  readonly isReshaping: boolean;
}

export function parseEventStage(stage: RawField): ParsedStage {
  const fields = stage.type === bsonTypes.object ? [...readFields(stage.bytes, stage.start)] : [];
  const [spec] = fields;
  if (stage.type !== bsonTypes.object) {
    throw new CommandError(ErrorCode.typeMismatch, "Each element of the 'pipeline' array must be an object");
  }
  if (spec === undefined || fields.length !== 1) {
    throw new CommandError(40323, 'A pipeline stage specification object must contain exactly one field.');
  }
  switch (spec.name) {
    case '$match':
      return { run: match(spec), isReshaping: false };
    case '$project':
      return { run: project(spec), isReshaping: true };
    case '$set':
    case '$addFields':
      return { run: addFields(spec), isReshaping: true };
    case '$unset':
      return { run: unset(spec), isReshaping: true };
    case '$replaceWith':
    case '$replaceRoot':
      return { run: replaceRoot(spec), isReshaping: true };
    case '$changeStream':
      throw new CommandError(40602, '$changeStream is only valid as the first stage in a pipeline');
    default:
      throw refuse(spec.name);
  }
}

function refuse(name: string): CommandError {
  if (allowedStages.has(name)) {
    return notImplemented(`the stage ${name} in a change stream`);
  }
  return unsupportedStages.has(name) || otherStages.has(name)
    ? new CommandError(ErrorCode.illegalOperation, `${name} is not permitted in a $changeStream pipeline`)
    : new CommandError(40324, `Unrecognized pipeline stage name: '${name}'`);
}

function match(spec: RawField): EventStage {
  if (spec.type !== bsonTypes.object) {
    throw new CommandError(15959, 'the match filter must be an expression in an object');
  }
  const filter = parseFilter(spec.bytes, spec.start);
  return (event) => (matchesDocument(filter, event.bytes, event.start) ? event : undefined);
}

function project(spec: RawField): EventStage {
  if (spec.type !== bsonTypes.object) {
    throw new CommandError(15969, '$project specification must be an object');
  }
  const fields = [...readFields(spec.bytes, spec.start)];
  const isFlat = fields.every(({ name, type }) => !name.includes('.') && plainTypes.includes(type));
  const projection = isFlat ? parseProjection(spec) : parseNestedProjection(spec);
  if (projection === undefined) {
    throw new CommandError(
      51272,
      'Invalid $project :: caused by :: projection specification must have at least one field',
    );
  }
  return ({ bytes, start }) => ({ bytes: projection(bytes, start), start: 0 });
}

const plainTypes: readonly number[] = [bsonTypes.bool, bsonTypes.int, bsonTypes.long, bsonTypes.double];

function addFields(spec: RawField): EventStage {
  const assign = parseAssignments(spec);
  return ({ bytes, start }) => {
    const tree = Tree.readDocument(bytes, start);
    assign(tree, bytes, start);
    return { bytes: tree.encode(), start: 0 };
  };
}

function unset(spec: RawField): EventStage {
  const paths = parseUnset(spec);
  return ({ bytes, start }) => {
    const tree = Tree.readDocument(bytes, start);
    for (const path of paths) {
      removeAt(tree, path);
    }
    return { bytes: tree.encode(), start: 0 };
  };
}

function replaceRoot(spec: RawField): EventStage {
  const root =
    spec.name === '$replaceWith'
      ? spec
      : [...readFields(spec.bytes, spec.start)].find(({ name }) => name === 'newRoot');
  if (root === undefined) {
    throw new CommandError(40231, 'no newRoot specified for the $replaceRoot stage');
  }
  const expression = parseExpression(root);
  return ({ bytes, start }) => {
    const value = expression(bytes, start);
    const raw = value && toRaw(value);
    if (raw?.type !== bsonTypes.object) {
      throw new CommandError(40228, "'newRoot' expression must evaluate to an object");
    }
    return { bytes: raw.bytes, start: raw.start };
  };
}
