/** Random plans for tables that exist, with columns of all types, arrays of them, and documents that mostly fit. */

import { bsonTypes } from '../../src/bson/types.ts';
import { jsonStyles } from '../../src/bson/json/json-style.ts';
import { nulPolicies } from '../../src/bson/nul-policy.ts';
import type { Random } from '../../src/common/random.ts';
import type { ColumnTarget, ValueType } from '../../src/transcode/column-target.ts';
import { columnTypeNames } from '../../src/transcode/column-types/names.ts';
import { valueKinds } from '../../src/transcode/column-types/registry.ts';
import type { Plan, PlanColumn } from '../../src/transcode/plan.ts';
import { type Value, ValueMaker } from './random-documents.ts';
import { double, rawDocument, type RawElement, rawString } from './raw-bson.ts';

type Maker =
  | 'int'
  | 'long'
  | 'double'
  | 'decimal'
  | 'bool'
  | 'string'
  | 'objectId'
  | 'uuid'
  | 'binary'
  | 'date'
  | 'label'
  | 'amount'
  | 'uuidText';

/** With what is not ASCII, and parts of each other. */
const labels = ['new', 'shipped', 'ship', 'übergeben', 'twenty characters :-)', ''];

/** With what such columns have for the most part. */
const types: readonly (readonly [type: ValueType, makers: readonly Maker[]])[] = [
  [{ kind: 'int2' }, ['int', 'double']],
  [{ kind: 'int4' }, ['int', 'long', 'double']],
  [{ kind: 'int8' }, ['int', 'long', 'double']],
  [{ kind: 'float4' }, ['int', 'double', 'long']],
  [{ kind: 'float8' }, ['int', 'double', 'long']],
  [{ kind: 'numeric' }, ['int', 'long', 'double', 'decimal']],
  [{ kind: 'numeric', precision: 9, scale: 2 }, ['int', 'double', 'decimal']],
  [{ kind: 'numeric', precision: 5, scale: 0 }, ['int', 'double', 'decimal']],
  [{ kind: 'numeric', precision: 3, scale: -4 }, ['int', 'long', 'decimal']],
  [{ kind: 'numeric', precision: 4, scale: 6 }, ['double', 'decimal']],
  [{ kind: 'money', scale: 2 }, ['int', 'amount', 'decimal', 'long']],
  [{ kind: 'money', scale: 0 }, ['int', 'amount', 'decimal']],
  [{ kind: 'money', scale: 3 }, ['int', 'amount', 'decimal']],
  [{ kind: 'bool' }, ['bool']],
  [{ kind: 'text' }, ['string', 'objectId']],
  [{ kind: 'text', maxCharacters: 16 }, ['string', 'objectId']],
  [{ kind: 'text', maxCharacters: 40 }, ['string', 'objectId']],
  [{ kind: 'text', maxBytes: 63 }, ['string', 'objectId']],
  [{ kind: 'enum', labels }, ['label']],
  [{ kind: 'form' }, ['string']],
  [{ kind: 'uuid' }, ['uuid', 'uuidText']],
  [{ kind: 'bytea' }, ['binary', 'objectId']],
  [{ kind: 'date' }, ['date']],
  [{ kind: 'timestamp' }, ['date']],
  [{ kind: 'timestamp', secondPlaces: 0 }, ['date']],
  [{ kind: 'timestamp', secondPlaces: 2 }, ['date']],
  [{ kind: 'timestamp', secondPlaces: 6 }, ['date']],
  [{ kind: 'json' }, ['int', 'string']],
  [{ kind: 'jsonb' }, ['int', 'string']],
];

/** Each `_id` fits. */
const idTypes: typeof types = [
  [{ kind: 'int8' }, ['int', 'long']],
  [{ kind: 'text' }, ['objectId']],
];

/** Of values that other columns have no need of. */
class TargetValueMaker extends ValueMaker {
  readonly #random: Random;

  constructor(random: Random, hostility: number) {
    super(random, hostility);
    this.#random = random;
  }

  label(): Value {
    const label = this.#random.pick(labels);
    const other = this.#random.pick([`${label}\0`, label.slice(1), `${label} `, '\u{fffd}']);
    return [bsonTypes.string, rawString(this.#random.chance(0.05) ? other : label)];
  }

  /** A double of at most two decimal places. */
  amount(): Value {
    return [
      bsonTypes.double,
      double((this.#random.below(2 ** 31) - 2 ** 30) / this.#random.pick([1, 10, 100])),
    ];
  }

  uuidText(): Value {
    const random = this.#random;
    const digits = Array.from({ length: 32 }, () => random.below(16).toString(16)).join('');
    const text = digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
    const damaged = [text.replace('-', ' '), text.slice(1), `${text.slice(1)}g`, `{${text.slice(2)}}`];
    const same = random.pick([text, text.toUpperCase()]);
    return [bsonTypes.string, rawString(random.chance(0.05) ? random.pick(damaged) : same)];
  }
}

export interface TargetCase {
  readonly plan: Plan;
  readonly make: () => Buffer;
}

export function makeTargetCase(random: Random): TargetCase {
  const fields = Array.from({ length: 1 + random.below(10) }, (_, index) => {
    const [type, makers] = random.pick(types);
    return { name: `field ${index}`, type, makers, isArray: random.chance(0.3), isOwn: random.chance(0.3) };
  });
  const columns = fields.map(({ name, type, isArray, isOwn }): PlanColumn => {
    const own = valueKinds[type.kind].planTypes[0];
    const column = { field: name, column: name };
    if (isOwn) {
      return {
        ...column,
        type: random.chance(0.1) ? random.pick(columnTypeNames) : own,
        ...(isArray ? { isArray } : {}),
      };
    }
    const target: ColumnTarget = {
      ...(isArray
        ? { kind: 'array', element: { ...type, oid: 1000 + random.below(100), delimiter: ',' } }
        : type),
      ...{ name: type.kind, stage: type.kind },
      ...(random.chance(0.03) ? { isNotNull: true } : {}),
    };
    return { ...column, type: isArray ? 'json' : own, target };
  });
  const [idType, idMakers] = random.pick(random.chance(0.7) ? idTypes : types);
  const id: PlanColumn = {
    ...{ field: '_id', column: '_id', type: valueKinds[idType.kind].planTypes[0] },
    target: { ...idType, name: idType.kind, stage: idType.kind, isNotNull: true },
  };
  const plan: Plan = {
    ...{ collection: 'targets', schema: 'public', table: 'targets', columns: [id, ...columns] },
    jsonStyle: random.pick(jsonStyles),
    nul: random.pick(nulPolicies),
    extraColumn: random.chance(0.8) ? '_extra' : null,
  };
  const values = new TargetValueMaker(random, 0.02);
  const makeValue = (makers: readonly Maker[]) =>
    random.chance(0.03) ? values.any() : values[random.pick(makers)]();
  const makeArray = (makers: readonly Maker[]) => {
    const elements = Array.from({ length: random.below(5) }, (_, index): RawElement => {
      const [type, bytes] = random.chance(0.1) ? values.null() : makeValue(makers);
      return [type, String(index), bytes];
    });
    return [bsonTypes.array, rawDocument(elements)] as const;
  };
  return {
    plan,
    make: () => {
      const [type, bytes] = makeValue(idMakers);
      const others = fields
        .filter(() => random.chance(0.95))
        .map(({ name, makers, isArray }): RawElement => {
          const [type, bytes] = isArray && random.chance(0.95) ? makeArray(makers) : makeValue(makers);
          return [type, name, bytes];
        });
      if (random.chance(0.05)) others.reverse();
      return rawDocument([[type, '_id', bytes], ...others]);
    },
  };
}
