/**
 * Random documents as collections have them: mostly alike, with fields that are missing, misplaced, new, or of another type,
 * and with values of all types and lengths. Few are malformed.
 */

import { bsonTypes } from '../../src/bson/types.ts';
import { double, int32, int64, rawDocument, type RawElement, rawString } from './raw-bson.ts';
import type { Plan } from '../../src/transcode/plan.ts';
import type { ColumnType } from '../../src/transcode/column-types/names.ts';
import type { Random } from '../../src/common/random.ts';

export type Value = readonly [type: number, bytes: Buffer];

/** The fields that plans have columns for, and their usual types. */
export const usualFields: readonly (readonly [name: string, column: ColumnType, make: keyof ValueMaker])[] = [
  ['a', 'int32', 'int'],
  ['bb', 'string', 'string'],
  ['count_of_things', 'int64', 'long'],
  ['d', 'double', 'double'],
  ['price', 'decimal', 'decimal'],
  ['is_open', 'boolean', 'bool'],
  ['createdAt', 'date', 'date'],
  ['customerId', 'objectId', 'objectId'],
  ['uuid____', 'uuid', 'uuid'],
  ['data', 'binary', 'binary'],
  ['f', 'json', 'array'],
  ['b', 'json', 'object'],
  ['sym', 'symbol', 'symbol'],
];

const otherNames = [
  'x',
  'new',
  'c',
  'd',
  'é',
  '€uro',
  'quote"d',
  'a.b',
  'b.c',
  '$x',
  '',
  'n'.repeat(40),
  '\\',
];

const edgeDoubles = [
  ...[0, -0, NaN, Infinity, -Infinity, 5e-324, 2 ** 53, 2 ** 63, 2 ** 64],
  ...[1e21, 1e-7, 1.7976931348623157e308, -(2 ** 63), 2 ** 63 - 1024],
];

/** Values by type. */
export class ValueMaker {
  readonly #random: Random;
  /** How many of the values are malformed, or at the limits. */
  readonly #hostility: number;

  constructor(random: Random, hostility: number) {
    this.#random = random;
    this.#hostility = hostility;
  }

  int(): Value {
    const random = this.#random;
    return [
      bsonTypes.int,
      int32(
        random.pick([
          random.below(100),
          random.below(2 ** 31),
          -random.below(2 ** 31),
          2 ** 31 - 1,
          -(2 ** 31),
        ]),
      ),
    ];
  }

  long(): Value {
    const random = this.#random;
    const edge = 2n ** random.pick([1n, 31n, 32n, 52n, 53n, 54n, 62n, 63n]) + BigInt(random.below(5)) - 2n;
    const any = this.#bits();
    return [bsonTypes.long, int64(BigInt.asIntN(64, random.pick([any, any >> 40n, edge, -edge])))];
  }

  double(): Value {
    const random = this.#random;
    if (random.chance(this.#hostility)) return [bsonTypes.double, double(random.pick(edgeDoubles))];
    const few = random.below(1_000_000) / random.pick([1, 10, 100, 1000, 7, 3]);
    const any = Buffer.alloc(8);
    any.writeBigInt64LE(this.#bits());
    const number = random.pick([
      few,
      -few,
      any.readDoubleLE(),
      any.readDoubleLE(),
      random.below(2 ** 31) * 2 ** (random.below(200) - 100),
      10 ** (random.below(60) - 30),
    ]);
    return [bsonTypes.double, double(number)];
  }

  decimal(): Value {
    const random = this.#random;
    const bytes = Buffer.alloc(16);
    bytes.writeBigUInt64LE(
      BigInt.asUintN(64, random.pick([this.#bits() >> 14n, this.#bits() >> 50n, BigInt(random.below(1000))])),
    );
    const exponent = BigInt(
      random.pick([0, -2, -1, 3, -8, random.below(40) - 20, random.below(12288) - 6176]) + 6176,
    );
    if (random.chance(this.#hostility)) bytes.writeBigInt64LE(this.#bits());
    const sign = random.chance(0.3) ? 1n << 63n : 0n;
    bytes.writeBigUInt64LE(
      sign | (exponent << 49n) | (random.chance(this.#hostility) ? BigInt(random.below(2 ** 31)) : 0n),
      8,
    );
    if (random.chance(this.#hostility)) bytes[15] = 0x78 | random.below(8);
    return [bsonTypes.decimal, bytes];
  }

  string(): Value {
    return [bsonTypes.string, this.#string()];
  }

  bool(): Value {
    return [bsonTypes.bool, Buffer.of(this.#random.chance(this.#hostility / 10) ? 2 : this.#random.below(2))];
  }

  date(): Value {
    const random = this.#random;
    const edges = [0, 253_402_300_800_000, -62_135_596_800_000, -210_866_803_200_000, 9_224_318_016_000_000];
    const near = BigInt(random.pick(edges)) + BigInt(random.below(5) - 2);
    const usual = BigInt(random.below(2 ** 31)) * random.pick([1000n, 997n, -1000n, 100_000n]);
    return [bsonTypes.date, int64(random.pick([usual, usual, usual, near, this.#bits()]))];
  }

  objectId(): Value {
    return [bsonTypes.objectId, this.#bytes(12)];
  }

  uuid(): Value {
    return [bsonTypes.binData, Buffer.concat([int32(16), Buffer.of(4), this.#bytes(16)])];
  }

  binary(): Value {
    const random = this.#random;
    const content = this.#bytes(random.pick([0, 1, 2, 3, 16, random.below(100)]));
    const subtype = random.pick([0, 0, 0, 0, 2, 3, 4, 5, 255]);
    const inner = subtype === 2 ? Buffer.concat([int32(content.length), content]) : content;
    return [bsonTypes.binData, Buffer.concat([int32(inner.length), Buffer.of(subtype), inner])];
  }

  symbol(): Value {
    return [bsonTypes.symbol, this.#string()];
  }

  rare(): Value {
    const random = this.#random;
    return random.pick<Value>([
      [bsonTypes.undefined, Buffer.alloc(0)],
      [bsonTypes.minKey, Buffer.alloc(0)],
      [bsonTypes.maxKey, Buffer.alloc(0)],
      [bsonTypes.timestamp, int64(this.#bits())],
      [bsonTypes.regex, Buffer.from(random.pick(['\0\0', 'a"\\d\0imsx\0', 'é\0i\0', '^\u0001\0\0']))],
      [bsonTypes.javascript, this.#string()],
      [bsonTypes.dbPointer, Buffer.concat([this.#string(), this.#bytes(12)])],
      this.#random.chance(this.#hostility)
        ? [bsonTypes.javascriptWithScope, Buffer.concat([int32(15), rawString('ab'), rawDocument([])])]
        : [bsonTypes.null, Buffer.alloc(0)],
    ]);
  }

  null(): Value {
    return [bsonTypes.null, Buffer.alloc(0)];
  }

  array(depth = 0): Value {
    const length = this.#random.below(4);
    const elements = Array.from({ length }, (_, i): RawElement => {
      const [type, bytes] = this.#random.chance(0.4) ? this.object(depth + 1) : this.any(depth + 1);
      return [type, String(i), bytes];
    });
    return [bsonTypes.array, rawDocument(elements)];
  }

  object(depth = 0): Value {
    const length = this.#random.below(5);
    const elements = Array.from({ length }, (): RawElement => {
      const [type, bytes] = this.any(depth + 1);
      return [type, this.#random.pick(otherNames), bytes];
    });
    return [bsonTypes.object, rawDocument(elements)];
  }

  any(depth = 0): Value {
    const random = this.#random;
    if (depth < 4 && random.chance(0.2)) return random.chance(0.5) ? this.object(depth) : this.array(depth);
    if (random.chance(0.1)) return this.rare();
    const make = random.pick([
      'int',
      'string',
      'double',
      'long',
      'bool',
      'date',
      'objectId',
      'null',
      'decimal',
      'uuid',
    ] as const);
    return this[make]();
  }

  #bits(): bigint {
    return this.#bytes(8).readBigInt64LE();
  }

  #bytes(length: number): Buffer {
    const bytes = Buffer.alloc(length);
    for (let i = 0; i < length; i++) bytes[i] = this.#random.below(256);
    return bytes;
  }

  #string(): Buffer {
    const random = this.#random;
    const length = random.pick([
      0,
      1,
      5,
      15,
      16,
      17,
      random.below(40),
      random.below(40),
      random.below(40),
      random.below(300),
    ]);
    const characters = random.chance(0.6)
      ? ['a', 'b', ' ', '7', 'z']
      : [
          'a',
          'é',
          '€',
          '🦊',
          '"',
          '\\',
          '\n',
          '\u0001',
          '\u001f',
          '\u007f',
          '/',
          '\u07ff',
          '\ud7ff',
          '\uffff',
        ];
    const text = Buffer.from(Array.from({ length }, () => random.pick(characters)).join(''));
    if (text.length > 0 && random.chance(this.#hostility)) {
      text[random.below(text.length)] = random.pick([0, 0x80, 0xc0, 0xe0, 0xed, 0xff, 0xf4]);
    }
    return rawString(text);
  }
}

/** The usual values of an `_id`, by the type of its column. */
export const usualIds = {
  objectId: ['objectId'],
  int32: ['int'],
  int64: ['long', 'int'],
  string: ['string'],
  uuid: ['uuid'],
  double: ['double', 'int'],
  decimal: ['int', 'long', 'decimal'],
  json: ['any', 'objectId', 'long', 'double'],
} as const satisfies Partial<Record<ColumnType, readonly (keyof ValueMaker)[]>>;

export const idTypes = Object.keys(usualIds) as (keyof typeof usualIds)[];

/** Documents of the plan's collection. */
export function createDocumentMaker(random: Random, { columns }: Plan): () => Buffer {
  const values = new ValueMaker(random, random.pick([0, 0.005, 0.05]));
  const idType = columns[0]?.type;
  const idMaker = random.pick(usualIds[idTypes.find((type) => type === idType) ?? 'json']);
  const fields = usualFields.filter(() => random.chance(0.8));
  const disorder = random.pick([0, 0, 0.05, 0.9]);
  const novelty = random.pick([0, 0.02, 0.1, 0.5]);
  const deviation = random.pick([0, 0.01, 0.1]);
  return () => {
    const element = (name: string, make: keyof ValueMaker): RawElement => {
      const [type, bytes] = random.chance(deviation) ? values.any() : values[make]();
      return [type, name, bytes];
    };
    const elements = [
      ...(random.chance(deviation / 50) ? [] : [element('_id', idMaker)]),
      ...fields.filter(() => random.chance(0.95)).map(([name, , make]) => element(name, make)),
    ];
    while (random.chance(novelty)) {
      elements.splice(random.below(elements.length + 1), 0, element(random.pick(otherNames), 'any'));
    }
    if (random.chance(disorder)) {
      for (let swaps = 1 + random.below(4); swaps > 0; swaps--) {
        const [moved] = elements.splice(random.below(elements.length), 1);
        if (moved !== undefined) elements.splice(random.below(elements.length + 1), 0, moved);
      }
    }
    return rawDocument(elements);
  };
}
