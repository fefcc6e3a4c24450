/** The command create: collections, and, as metadata only, views and time series. */
import { serialize } from 'bson';
import { parseCollation } from '../query/collation.ts';
import { decodeDocument } from '../decode.ts';
import type { StoredCollection } from '../storage/stored-collection.ts';
import type { CommandReader } from '../command-reader.ts';
import { CommandError, ErrorCode, notImplemented } from '../errors.ts';
import { hasSameKey, parseIndexSpec } from '../index-spec.ts';
import { idIndex, idIndexOf } from '../storage/metadata.ts';
import type { KeptDocument, Metadata } from '../storage/metadata.ts';
import type { Reply } from '../wire/message.ts';
import { namespaceOf, succeed } from './command.ts';
import type { CommandContext, ServerState } from './command.ts';

/** Stored and listed; a validator rejects nothing. */
const keptOptions = [
  ...['viewOn', 'pipeline', 'timeseries', 'validator', 'validationLevel', 'validationAction'],
  'changeStreamPreAndPostImages',
  'collation',
];
const unsupportedOptions = (
  'capped autoIndexId size max storageEngine indexOptionDefaults ' +
  'clusteredIndex expireAfterSeconds encryptedFields'
).split(' ');

/** `bucketMaxSpanSeconds` for each granularity: https://www.mongodb.com/docs/manual/core/timeseries/timeseries-granularity/ */
const bucketSpans: Readonly<Record<string, number>> = { seconds: 3600, minutes: 86_400, hours: 2_592_000 };

export function create(context: CommandContext): Reply {
  const { command, server, database } = context;
  command.refuseUnknown([...keptOptions, ...unsupportedOptions, 'idIndex']);
  const unsupported = unsupportedOptions.find((option) => command.has(option));
  if (unsupported !== undefined) {
    throw notImplemented(`the option ${unsupported} of create`);
  }
  const collation = readCollation(command);
  checkIdIndex(command, idIndexOf({ collation }));
  const name = command.collection();
  if (server.catalog.get(database, name) !== undefined) {
    throw new CommandError(ErrorCode.namespaceExists, `Collection ${namespaceOf(context)} already exists.`);
  }
  createCollection(server, database, name, readSettings(command, collation));
  return succeed();
}

/** mongorestore says it, with the one specification that this server has. */
function checkIdIndex(command: CommandReader, wanted: KeptDocument): void {
  const field = command.rawDocument('idIndex');
  if (field === undefined) return;
  const { name, ...spec } = parseIndexSpec(field, wanted.collation);
  if (name !== wanted.name || !hasSameKey(wanted, spec)) {
    throw new CommandError(
      ErrorCode.badValue,
      "The field 'idIndex' must have the name _id_ and the key {_id: 1}",
    );
  }
}

/** Creates the collection, and adds it to the oplog. */
export function createCollection(
  server: ServerState,
  database: string,
  name: string,
  settings: Partial<Metadata> = {},
): StoredCollection {
  const stored = server.catalog.create(database, name, settings);
  const { type, options } = stored.metadata;
  const details = { ...(type === 'collection' ? { idIndex: idIndexOf(options) } : {}), ...options };
  const described = serialize({ operationDescription: details, nsType: type }, { ignoreUndefined: true });
  server.writes.changeCatalog('create', stored.place, Buffer.from(described));
  return stored;
}

/** The simple collation is what there is without one. */
function readCollation(command: CommandReader): KeptDocument | undefined {
  const spec = command.rawDocument('collation');
  const collation = spec && parseCollation(decodeDocument(spec))?.options;
  if (collation !== undefined && (command.has('viewOn') || command.has('timeseries'))) {
    throw notImplemented('the option collation of views and time series');
  }
  return collation;
}

function readSettings(command: CommandReader, collation: KeptDocument | undefined): Partial<Metadata> {
  const viewOn = command.string('viewOn');
  if (viewOn !== undefined) {
    return { type: 'view', options: { viewOn, pipeline: readPipeline(command) }, indexes: [] };
  }
  if (command.has('pipeline')) {
    throw new CommandError(ErrorCode.invalidOptions, "'pipeline' requires 'viewOn' to also be specified");
  }
  const timeseries = command.document('timeseries');
  if (timeseries !== undefined) {
    return readTimeseries(timeseries);
  }
  const validator = command.rawDocument('validator');
  const images = command.document('changeStreamPreAndPostImages')?.boolean('enabled');
  return {
    options: {
      ...(images === undefined ? {} : { changeStreamPreAndPostImages: { enabled: images } }),
      ...(validator === undefined ? {} : { validator: decodeDocument(validator) }),
      ...readStrings(command, ['validationLevel', 'validationAction']),
      ...(collation === undefined ? {} : { collation }),
    },
  };
}

function readPipeline(command: CommandReader): unknown[] {
  command.array('pipeline');
  const pipeline = command.value('pipeline');
  return pipeline === undefined ? [] : Object.values(decodeDocument(pipeline));
}

function readTimeseries(timeseries: CommandReader): Partial<Metadata> {
  timeseries.refuseUnknown(['timeField', 'metaField', 'granularity']);
  const timeField = timeseries.required('timeField', timeseries.string('timeField'));
  const { granularity = 'seconds', ...named } = readStrings(timeseries, ['metaField', 'granularity']);
  const bucketMaxSpanSeconds = bucketSpans[granularity];
  if (bucketMaxSpanSeconds === undefined) {
    throw new CommandError(
      ErrorCode.badValue,
      `Enumeration value '${granularity}' for field 'create.timeseries.granularity' is not a valid value.`,
    );
  }
  const { metaField } = named;
  const key: KeptDocument = metaField === undefined ? {} : { [metaField]: 1, [timeField]: 1 };
  const indexes = metaField === undefined ? [] : [{ ...idIndex, key, name: `${metaField}_1_${timeField}_1` }];
  return {
    type: 'timeseries',
    options: { timeseries: { timeField, ...named, granularity, bucketMaxSpanSeconds } },
    indexes,
  };
}

/** Those of the arguments that are there. */
function readStrings(command: CommandReader, names: readonly string[]): Record<string, string> {
  const entries = names.map((name) => [name, command.string(name)] as const);
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => entry[1] !== undefined));
}
