import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  Binary,
  BSONRegExp,
  BSONSymbol,
  Decimal128,
  Double,
  Int32,
  Long,
  ObjectId,
  UUID,
  type Document,
} from 'bson';
import {
  createIndexStatement,
  planIndexes,
  type IndexPlan,
} from '../../../../src/plan/indexes/index-plan.ts';
import type { Plan, PlanColumn } from '../../../../src/transcode/plan.ts';
import type { IndexSpec } from '../../../../src/source/index-spec.ts';

const plan: Plan = {
  collection: 'shop.people',
  schema: 'public',
  table: 'people',
  columns: [
    { field: '_id', column: '_id', type: 'objectId' },
    { field: 'name', column: 'name', type: 'string' },
    { field: 'age', column: 'age', type: 'int32' },
    { field: 'views', column: 'views', type: 'int64' },
    { field: 'score', column: 'score', type: 'double' },
    { field: 'at', column: 'at', type: 'date' },
    { field: 'isNew', column: 'isNew', type: 'boolean' },
    { field: 'owner', column: 'owner', type: 'objectId' },
    { field: 'email', column: 'email', type: 'string', isRequired: true },
    { field: 'tags', column: 'tags', type: 'json' },
    { field: 'address', column: 'address', type: 'json' },
    { field: 'address', column: 'city', type: 'string', path: ['city'] },
    { field: 'deep', column: 'deep_a_b', type: 'int32', path: ['a', 'b'] },
    { field: 'a.b', column: 'a.b', type: 'int32' },
    { field: 'odd"; DROP', column: 'odd"; DROP', type: 'int32' },
  ],
  extraColumn: '_extra',
  dropped: ['secret'],
};

type Key = Record<string, IndexSpec['key'][number]['kind']>;

function spec(key: Key, options: Partial<IndexSpec> = {}): IndexSpec {
  return {
    name: Object.entries(key)
      .map(([path, kind]) => `${path}_${kind}`)
      .join('_'),
    key: Object.entries(key).map(([path, kind]) => ({ path, kind })),
    isUnique: false,
    isSparse: false,
    partialFilter: null,
    locale: null,
    expireAfterSeconds: null,
    ...options,
  };
}

function planOne(index: IndexSpec, version = 18, columns: readonly PlanColumn[] = []): IndexPlan {
  return planIndexes([index], { ...plan, columns: [...plan.columns, ...columns] }, { version });
}

/** The one resulting index: the text before its name, and after the table's. */
function definitionOf(index: IndexSpec, version?: number, columns?: readonly PlanColumn[]): string {
  const { planned, left } = planOne(index, version, columns);
  assert.deepEqual(left, []);
  const [only] = planned;
  assert.ok(only !== undefined);
  return `${only.isUnique ? 'UNIQUE ' : ''}${only.definition.replace('"public"."people" ', '')}`;
}

function reasonOf(index: IndexSpec, columns?: readonly PlanColumn[]): string {
  const { planned, left } = planOne(index, 18, columns);
  assert.deepEqual(planned, []);
  assert.equal(left.length, 1);
  assert.equal(left[0]?.index, index.name);
  return left[0].reason;
}

function where(filter: Document, columns?: readonly PlanColumn[]): string {
  return definitionOf(spec({ age: 1 }, { partialFilter: filter }), 18, columns).replace('("age") WHERE ', '');
}

describe('the fields of an index', () => {
  for (const [key, definition] of [
    [{ name: 1 }, '("name")'],
    [{ name: -1 }, '("name" DESC)'],
    [{ name: 1, age: -1, at: 1 }, '("name", "age" DESC, "at")'],
    [{ name: 'hashed' }, '("name")'],
    [{ age: 1, name: 'hashed' }, '("age", "name")'],
    [{ 'address.city': 1 }, '("city")'],
    [{ 'deep.a.b': 1 }, '("deep_a_b")'],
    [{ 'odd"; DROP': 1 }, '("odd""; DROP")'],
    [{ age: 1, _id: 1 }, '("age", "_id")'],
  ] as const) {
    it(`${JSON.stringify(key)} become ${definition}`, () => {
      assert.equal(definitionOf(spec(key)), definition);
    });
  }

  it('may be an _id of several types, which is never an array', () => {
    const columns = plan.columns.map((column) =>
      column.field === '_id' ? ({ ...column, type: 'json' } as const) : column,
    );
    const { planned } = planIndexes([spec({ age: 1, _id: 1 })], { ...plan, columns }, { version: 18 });
    assert.equal(planned[0]?.definition, '"public"."people" ("age", "_id")');
  });

  for (const [key, reason] of [
    [{ tags: 1 }, /"tags" are in the jsonb column "tags".*column of their own.*USING gin \("tags"\)/],
    [{ 'address.zip': 1 }, /"address\.zip" are in the jsonb column "address".*USING gin \("address"\)/],
    [{ 'address.city.x': 1 }, /"address\.city\.x" are in the jsonb column "address"/],
    [{ 'name.first': 1 }, /"name\.first" are in the jsonb column "_extra"/],
    [{ rare: 1 }, /"rare" are in the jsonb column "_extra".*ON "public"\."people" USING gin \("_extra"\)/],
    [{ deep: 1 }, /"deep" are in the jsonb column "_extra"/],
    [{ 'deep.a': 1 }, /"deep\.a" are in the jsonb column "_extra"/],
    // A column of the name is of the field `a.b`; the path means b in a.
    [{ 'a.b': 1 }, /"a\.b" are in the jsonb column "_extra"/],
    [{ age: 1, tags: 1 }, /"tags"/],
    [{ secret: 1 }, /^the plan leaves "secret" out$/],
    [{ 'secret.x': 1 }, /^the plan leaves "secret\.x" out$/],
    [{ _id: 'hashed' }, /^the primary key serves it$/],
    [{ _fts: 'text', _ftsx: 1 }, /^a text index/],
    [{ spot: '2d' }, /^a geospatial index.*PostGIS/],
    [{ spot: '2dsphere', name: 1 }, /^a geospatial index/],
    [{ spot: '2dsphere_bucket' }, /^a geospatial index/],
    [{ '$**': 1 }, /^a wildcard index.*USING gin \("_extra"\)/],
    [{ 'address.$**': 1 }, /^a wildcard index.*USING gin \("address"\)/],
    [{ name: 'columnstore' }, /^a column store index/],
    [{ name: 'constructor' }, /"constructor" is a kind of index that mongo2pg does not know/],
    [{ name: 'queryable' }, /"queryable" is a kind of index that mongo2pg does not know/],
  ] as const) {
    it(`${JSON.stringify(key)} are skipped with the reason ${reason.source}`, () => {
      assert.match(reasonOf(spec(key)), reason);
    });
  }

  it('are not reported for _id alone: that is the primary key', () => {
    assert.deepEqual(planOne(spec({ _id: 1 })), { planned: [], left: [] });
    assert.deepEqual(planOne(spec({ _id: 1 }, { name: 'clustered', isUnique: true })), {
      planned: [],
      left: [],
    });
  });
});

describe('a unique index', () => {
  const unique = { isUnique: true };
  for (const [what, index, version, definition] of [
    ['takes NULLs for equal', spec({ name: 1 }, unique), 15, 'UNIQUE ("name") NULLS NOT DISTINCT'],
    ['cannot do that in 14', spec({ name: 1 }, unique), 14, 'UNIQUE ("name")'],
    ['need not where there are none', spec({ email: 1 }, unique), 15, 'UNIQUE ("email")'],
    [
      'of several, of which one can be NULL',
      spec({ email: 1, age: 1 }, unique),
      15,
      'UNIQUE ("email", "age") NULLS NOT DISTINCT',
    ],
    [
      'omits them if it is sparse',
      spec({ name: 1 }, { ...unique, isSparse: true }),
      15,
      'UNIQUE ("name") WHERE "name" IS NOT NULL',
    ],
    [
      'has them in part, if it is of several and sparse',
      spec({ name: 1, age: 1 }, { ...unique, isSparse: true }),
      15,
      'UNIQUE ("name", "age") NULLS NOT DISTINCT WHERE "name" IS NOT NULL OR "age" IS NOT NULL',
    ],
    [
      'with a filter',
      spec({ name: 1 }, { ...unique, partialFilter: { age: { $gt: 1 } } }),
      15,
      `UNIQUE ("name") NULLS NOT DISTINCT WHERE "age" > '1'::integer`,
    ],
  ] as const) {
    it(what, () => {
      assert.equal(definitionOf(index, version), definition);
    });
  }

  it('has a notice where Postgres allows more', () => {
    const noticesOf = (index: IndexSpec, version: number) => planOne(index, version).planned[0]?.notices;
    assert.match(noticesOf(spec({ name: 1 }, unique), 14)?.join() ?? '', /PostgreSQL 14 lets any number/);
    assert.deepEqual(noticesOf(spec({ name: 1 }, unique), 15), []);
    assert.deepEqual(noticesOf(spec({ email: 1 }, unique), 14), []);
    assert.deepEqual(noticesOf(spec({ name: 1 }, { ...unique, isSparse: true }), 14), []);
  });
});

describe('other options', () => {
  it('sparse: rows with at least one of the fields, and all where one is never missing', () => {
    const sparse = { isSparse: true };
    assert.equal(definitionOf(spec({ name: 1 }, sparse)), '("name") WHERE "name" IS NOT NULL');
    assert.equal(definitionOf(spec({ name: 1, email: 1 }, sparse)), '("name", "email")');
  });

  it('TTL: an index, with a notice that nothing is deleted', () => {
    const index = spec({ at: 1 }, { expireAfterSeconds: 3600 });
    assert.equal(definitionOf(index), '("at")');
    assert.deepEqual(planOne(index).planned[0]?.notices, [
      'Postgres does not delete rows by itself, as MongoDB does 3600 s after "at"',
    ]);
  });

  it('a collation: skipped, unless no text is compared', () => {
    const french = { locale: 'fr' };
    assert.match(reasonOf(spec({ name: 1 }, french)), /compares text by the rules of "fr"/);
    assert.match(
      reasonOf(spec({ age: 1 }, { ...french, partialFilter: { name: 'x' } })),
      /compares text by the rules of "fr"/,
    );
    assert.equal(definitionOf(spec({ age: 1, owner: 1 }, french)), '("age", "owner")');
  });
});

describe('a partial filter', () => {
  const added = (type: string, more: object = {}) =>
    [{ field: 'x', column: 'x', type, ...more }] as unknown as PlanColumn[];
  const id = new ObjectId('0123456789abcdef01234567');
  const uuid = new UUID('01234567-89ab-4def-8123-456789abcdef');

  for (const [filter, sql, columns] of [
    [{}, 'true'],
    [{ age: new Int32(5) }, `"age" = '5'::integer`],
    [{ age: { $eq: new Double(5) } }, `"age" = '5'::integer`],
    [{ age: { $eq: Long.fromNumber(-5) } }, `"age" = '-5'::integer`],
    [{ age: { $gt: 1, $lte: 9 } }, `("age" > '1'::integer AND "age" <= '9'::integer)`],
    [
      { age: { $gte: 1 }, score: { $lt: 0.5 } },
      `("age" >= '1'::integer AND "score" < '0.5'::double precision)`,
    ],
    [{ age: { $in: [1, 2] } }, `("age" = '1'::integer OR "age" = '2'::integer)`],
    [{ age: { $in: [1, null] } }, `("age" = '1'::integer OR "age" IS NULL)`],
    [{ age: { $in: [] } }, 'false'],
    [{ age: null }, '"age" IS NULL'],
    [{ views: Long.MAX_VALUE }, `"views" = '9223372036854775807'::bigint`],
    [{ score: new Double(Infinity) }, `"score" = 'Infinity'::double precision`],
    [{ score: new Double(NaN) }, `"score" = 'NaN'::double precision`],
    [{ score: new Int32(3) }, `"score" = '3'::double precision`],
    [{ name: `O'Hara` }, `"name" = 'O''Hara'::text`],
    [{ name: { $gte: 'm' } }, `"name" >= 'm'::text COLLATE "C"`],
    [{ name: new BSONSymbol('s') }, `"name" = 's'::text`],
    [{ isNew: true }, `"isNew" = 'true'::boolean`],
    [{ at: { $gt: new Date(0) } }, `"at" > '1970-01-01T00:00:00.000Z'::timestamp with time zone`],
    [{ owner: { $gt: id } }, `"owner" > '${id.toHexString()}'::text COLLATE "C"`],
    [{ 'address.city': 'Rome' }, `"city" = 'Rome'::text`],
    [{ name: { $exists: true } }, '"name" IS NOT NULL'],
    [{ tags: { $exists: true } }, '"tags" IS NOT NULL'],
    [{ name: { $type: 'string' } }, '"name" IS NOT NULL'],
    [{ name: { $type: new Int32(2) } }, '"name" IS NOT NULL'],
    [{ age: { $type: ['number'] } }, '"age" IS NOT NULL'],
    [{ $and: [{ age: 1 }, { name: 'x' }] }, `("age" = '1'::integer AND "name" = 'x'::text)`],
    [
      { isNew: true, $or: [{ age: 1 }, { age: { $gt: 5, $lt: 7 } }] },
      `("isNew" = 'true'::boolean AND ("age" = '1'::integer OR ("age" > '5'::integer AND "age" < '7'::integer)))`,
    ],
    [{ 'odd"; DROP': 1 }, `"odd""; DROP" = '1'::integer`],
    [{ x: Decimal128.fromString('1E+400') }, `"x" = '1E+400'::numeric`, added('decimal')],
    [{ x: uuid }, `"x" = '${uuid.toHexString(false)}'::uuid`, added('uuid')],
    [{ x: new Binary(Buffer.from([1]), 5) }, `"x" =  E'\\\\x01'::bytea`, added('binary', { subtype: 5 })],
    [{ x: id }, `"x" =  E'\\\\x${id.toHexString()}'::bytea`, added('objectIdBytes')],
  ] as [Document, string, PlanColumn[]?][]) {
    it(`${JSON.stringify(filter)} becomes ${sql}`, () => {
      assert.equal(where(filter, columns), sql);
    });
  }

  for (const [filter, reason, columns] of [
    [{ age: 1.5 }, /compares "age" with 1.5, which its column cannot have/],
    [{ age: 2 ** 31 }, /which its column cannot have/],
    [{ age: 'x' }, /compares "age" with "x"/],
    [{ age: { $gt: null } }, /compares "age" with null/],
    [{ age: { $in: [1, 'x'] } }, /compares "age" with "x"/],
    [{ views: new Double(1e19) }, /which its column cannot have/],
    [{ score: Long.MAX_VALUE }, /which its column cannot have/],
    [{ score: Decimal128.fromString('0.1') }, /which its column cannot have/],
    [{ score: { $gt: new Double(NaN) } }, /in an order that Postgres has not/],
    [{ name: 'a\0b' }, /which its column cannot have/],
    [{ name: new BSONRegExp('^a') }, /which its column cannot have/],
    [{ name: { a: 1 } }, /which its column cannot have/],
    [{ name: id }, /which its column cannot have/],
    [{ owner: id.toHexString() }, /which its column cannot have/],
    [{ isNew: 1 }, /which its column cannot have/],
    [{ at: new Date(8.64e15) }, /which its column cannot have/],
    [{ at: new Date(Date.UTC(-1, 0)) }, /which its column cannot have/],
    // How js-bson represents a date beyond those of JavaScript.
    [{ at: new Date(Number.NaN) }, /which its column cannot have/],
    [{ tags: 'x' }, /which its column cannot have/],
    [{ tags: { $type: 'array' } }, /of another type than the column/],
    [{ age: { $type: 'string' } }, /of another type than the column/],
    [{ age: { $type: ['int', 'null'] } }, /of another type than the column/],
    [{ name: { $exists: false } }, /asks for what is missing/],
    [{ name: { $regex: '^a' } }, /has \$regex/],
    [{ spot: { $geoWithin: {} } }, /is on "spot", which has no column/],
    [{ $nor: [{ age: 1 }] }, /is on "\$nor"/],
    [{ 'address.zip': 1 }, /is on "address.zip", which has no column of its own/],
    [{ 'a.b': 1 }, /is on "a.b", which has no column/],
    [{ x: { $gt: new Binary(Buffer.from([1]), 0) } }, /in an order that Postgres has not/, added('binary')],
    [{ x: new Binary(Buffer.from([1]), 5) }, /which its column cannot have/, added('binary')],
  ] as [Document, RegExp, PlanColumn[]?][]) {
    it(`${JSON.stringify(filter)} is skipped with the reason ${reason.source}`, () => {
      const index = spec({ age: 1 }, { partialFilter: filter });
      assert.match(reasonOf(index, columns), reason);
      assert.match(reasonOf(index, columns), /^its filter /);
    });
  }
});

describe('the name of an index', () => {
  const namesOf = (...names: string[]) =>
    planIndexes(
      names.map((name, index) => spec({ age: 1 }, { name, partialFilter: { age: index } })),
      plan,
      { version: 18 },
    ).planned.map(({ name }) => name);

  it("is the table's and MongoDB's", () => {
    assert.deepEqual(namesOf('age_1', 'by "age"; DROP'), ['people_age_1', 'people_by "age"; DROP']);
  });

  it('has 63 bytes at most, is unique, and the same every time', () => {
    const long = ['é'.repeat(60), `${'é'.repeat(60)}x`, 'a'.repeat(127)];
    const names = namesOf(...long);
    assert.equal(new Set(names).size, 3);
    for (const name of names) assert.ok(Buffer.byteLength(name) <= 63);
    assert.deepEqual(namesOf(...long), names);
  });

  it('is quoted', () => {
    const [index] = planOne(spec({ age: 1 }, { name: 'a\0b' })).planned;
    assert.ok(index !== undefined);
    assert.equal(
      createIndexStatement(index, index.name),
      'CREATE INDEX IF NOT EXISTS "people_ab" ON "public"."people" ("age")',
    );
  });
});

describe('indexes that would be the same in Postgres', () => {
  it('are built once', () => {
    const { planned, left } = planIndexes(
      [spec({ age: 1 }), spec({ age: 'hashed' }), spec({ age: 1 }, { name: 'unique', isUnique: true })],
      plan,
      { version: 18 },
    );
    assert.deepEqual(
      planned.map(({ index }) => index),
      ['age_1', 'unique'],
    );
    assert.deepEqual(left, [
      { index: 'age_hashed', reason: 'in Postgres it would be the same as people_age_1' },
    ]);
  });
});

describe('indexes of values in arrays', () => {
  const key: PlanColumn[] = [
    { field: '_id', column: '_id', type: 'objectId' },
    { field: '', column: 'lines_ordinal', type: 'int32' },
  ];
  const taxes: Plan = {
    ...plan,
    table: 'people_lines_taxes',
    columns: [
      ...key,
      { field: '', column: 'taxes_ordinal', type: 'int32' },
      { field: 'rate', column: 'rate', type: 'int32' },
    ],
  };
  const lines: Plan = {
    ...plan,
    table: 'people_lines',
    columns: [
      ...key,
      { field: '_id', column: 'lines_id', type: 'objectId' },
      { field: 'sku', column: 'sku', type: 'string' },
      { field: 'at', column: 'at', type: 'date' },
      { field: 'rest', column: 'rest', type: 'json' },
    ],
    children: [{ field: 'taxes', plan: taxes }],
  };
  const labels: Plan = {
    ...plan,
    table: 'people_labels',
    columns: [...key, { field: '', column: 'value', type: 'string', isElement: true }],
  };
  const nested: Plan = {
    ...plan,
    columns: [...plan.columns, { field: 'words', column: 'words', type: 'string', isArray: true }],
    children: [
      { field: 'lines', plan: lines },
      { field: 'more', path: ['labels'], plan: labels },
    ],
  };
  const plans = (...specs: IndexSpec[]): IndexPlan => planIndexes(specs, nested, { version: 18 });

  it('are on the child table that has them, at any depth', () => {
    const { planned, left } = plans(
      spec({ 'lines.sku': 1, 'lines.at': -1 }),
      spec({ 'lines.taxes.rate': 1 }),
      spec({ 'lines._id': 1 }),
      spec({ 'more.labels': 1 }, { isSparse: true }),
      spec({ words: -1 }),
    );
    assert.deepEqual(left, []);
    assert.deepEqual(
      planned.map((index) => createIndexStatement(index, 'i')),
      [
        'CREATE INDEX IF NOT EXISTS "i" ON "public"."people_lines" ("sku", "at" DESC)',
        'CREATE INDEX IF NOT EXISTS "i" ON "public"."people_lines_taxes" ("rate")',
        'CREATE INDEX IF NOT EXISTS "i" ON "public"."people_lines" ("lines_id")',
        'CREATE INDEX IF NOT EXISTS "i" ON "public"."people_labels" ("value") WHERE "value" IS NOT NULL',
        'CREATE INDEX IF NOT EXISTS "i" ON "public"."people" USING gin ("words")',
      ],
    );
    assert.deepEqual(
      planned.map(({ table, name }) => [table.table, name]),
      [
        ['people_lines', 'people_lines.sku_1_lines.at_-1'],
        ['people_lines_taxes', 'people_lines.taxes.rate_1'],
        ['people_lines', 'people_lines._id_1'],
        ['people_labels', 'people_more.labels_1'],
        ['people', 'people_words_-1'],
      ],
    );
  });

  it('are skipped where a child table cannot have them, with the reason', () => {
    const { planned, left } = plans(
      spec({ name: 1, 'lines.sku': 1 }),
      spec({ 'lines.sku': 1, 'more.labels': 1 }),
      spec({ 'lines.sku': 1 }, { isUnique: true }),
      spec({ 'lines.sku': 1 }, { partialFilter: { age: 1 } }),
      spec({ lines: 1 }),
      spec({ 'lines.rest': 1 }),
      spec({ 'lines.ordinal': 1 }),
      spec({ name: 1, words: 1 }),
      spec({ words: 1 }, { isUnique: true }),
      spec({ name: 1 }, { partialFilter: { words: 'x' } }),
    );
    assert.deepEqual(planned, []);
    assert.deepEqual(
      left.map(({ reason }) => reason),
      [
        'its fields are in several tables: "people", "people_lines"',
        'its fields are in several tables: "people_lines", "people_labels"',
        'its values are in the child table "people_lines", where one document may have the same value more than once',
        'its values are in the child table "people_lines", and its filter is about documents',
        'the child table "people_lines" has no column for the values of "lines"',
        'the child table "people_lines" has no column for the values of "lines.rest"',
        'the child table "people_lines" has no column for the values of "lines.ordinal"',
        '"words" is an array: create a GIN index (CREATE INDEX ON "public"."people" USING gin ("words")), and an index on the other columns',
        '"words" is an array, and Postgres has no unique index of elements',
        'its filter is on "words", which is an array',
      ],
    );
  });
});
