/** Reads a command's arguments: typed, and none silently ignored. */
import { readFields, readString } from '../../../../src/bson/raw-value.ts';
import type { RawField, RawValue } from '../../../../src/bson/raw-value.ts';
import { bsonTypes, nameOfType } from '../../../../src/bson/types.ts';
import { CommandError, ErrorCode } from './errors.ts';
import { readAsDouble } from '../../../../src/bson/match/numbers.ts';
import { isTruthy } from '../../../../src/bson/match/operators.ts';

/** Arguments that every command takes. Those that matter to a replica set are read before the command runs. */
const genericArguments = new Set(
  (
    '$db $readPreference $clusterTime $configServerTime $queryOptions lsid readConcern writeConcern comment ' +
    'maxTimeMS apiVersion apiStrict apiDeprecationErrors rawData txnNumber'
  ).split(' '),
);

export class CommandReader {
  readonly name: string;
  readonly #fields = new Map<string, RawField>();

  /** `bytes` at `start` is a checked document; its first field names the command. */
  constructor(bytes: Buffer, start: number, name?: string) {
    for (const field of readFields(bytes, start)) {
      this.#fields.set(field.name, field);
    }
    this.name = name ?? this.#fields.keys().next().value ?? '';
  }

  has(name: string): boolean {
    return this.#fields.has(name);
  }

  value(name: string): RawField | undefined {
    return this.#fields.get(name);
  }

  isString(name: string): boolean {
    return this.#fields.get(name)?.type === bsonTypes.string;
  }

  string(name: string): string | undefined {
    const field = this.#typed(name, [bsonTypes.string]);
    return field && readString(field);
  }

  document(name: string): CommandReader | undefined {
    const field = this.#typed(name, [bsonTypes.object]);
    return field && new CommandReader(field.bytes, field.start, `${this.name}.${name}`);
  }

  /** The document in place. */
  rawDocument(name: string): RawField | undefined {
    return this.#typed(name, [bsonTypes.object]);
  }

  array(name: string): RawField[] | undefined {
    const field = this.#typed(name, [bsonTypes.array]);
    return field && [...readFields(field.bytes, field.start)];
  }

  strings(name: string): string[] | undefined {
    return this.array(name)?.map((element) => {
      if (element.type !== bsonTypes.string) {
        throw this.#wrongType(`${name}.${element.name}`, element, [bsonTypes.string]);
      }
      return readString(element);
    });
  }

  /** As mongod: a number counts as a boolean too. */
  boolean(name: string): boolean | undefined {
    const field = this.#typed(name, [bsonTypes.bool, ...numberTypes]);
    return field && isTruthy(field);
  }

  /** A whole number that is not negative. */
  count(name: string): number | undefined {
    const field = this.#typed(name, numberTypes);
    if (field === undefined) {
      return undefined;
    }
    const value = Math.trunc(readAsDouble(field.type, field.bytes, field.start));
    if (!(value >= 0)) {
      throw new CommandError(
        51024,
        `BSON field '${name}' value must be >= 0, actual value '${Number.isNaN(value) ? 0 : value}'`,
      );
    }
    return value;
  }

  /** An int64, as cursor ids are. */
  int64(field: RawValue): bigint {
    if (field.type !== bsonTypes.long) {
      throw this.#wrongType('cursor id', field, [bsonTypes.long]);
    }
    return field.bytes.readBigInt64LE(field.start);
  }

  /** The collection that the command's own field names. */
  collection(): string {
    const field = this.#fields.get(this.name);
    if (field?.type !== bsonTypes.string) {
      throw new CommandError(
        ErrorCode.invalidNamespace,
        `collection name has invalid type ${nameOfType(field?.type ?? bsonTypes.null)}`,
      );
    }
    return readString(field);
  }

  required<T>(name: string, value: T | undefined): T {
    if (value === undefined) {
      throw new CommandError(
        ErrorCode.missingField,
        `BSON field '${this.name}.${name}' is missing but a required field`,
      );
    }
    return value;
  }

  /** Refuses every argument that is neither generic nor among `known`. */
  refuseUnknown(known: readonly string[], path = this.name): void {
    for (const name of this.#fields.keys()) {
      if (name !== this.name && !known.includes(name) && !genericArguments.has(name)) {
        throw new CommandError(ErrorCode.unknownField, `BSON field '${path}.${name}' is an unknown field.`);
      }
    }
  }

  /** The field, unless it is missing or null, which mongod takes for missing. */
  #typed(name: string, types: readonly number[]): RawField | undefined {
    const field = this.#fields.get(name);
    if (field === undefined || field.type === bsonTypes.null) {
      return undefined;
    }
    if (!types.includes(field.type)) {
      throw this.#wrongType(name, field, types);
    }
    return field;
  }

  #wrongType(name: string, value: RawValue, types: readonly number[]): CommandError {
    const [first = bsonTypes.null] = types;
    const expected =
      types.length === 1 ? `type '${nameOfType(first)}'` : `types '[${types.map(nameOfType).join(', ')}]'`;
    return new CommandError(
      ErrorCode.typeMismatch,
      `BSON field '${this.name}.${name}' is the wrong type '${nameOfType(value.type)}', expected ${expected}`,
    );
  }
}

const numberTypes: readonly number[] = [bsonTypes.int, bsonTypes.long, bsonTypes.double, bsonTypes.decimal];
