import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { ExitCode, UsageError } from '../../../../src/common/errors.ts';
import { checkPlanFile, readPlanFile } from '../../../../src/plan/file/plan-file.ts';
import { createPlanFileSchema } from '../../../../src/plan/file/plan-schema.ts';

const id = { column: '_id', path: '_id', type: 'objectId' };
const email = { column: 'email', path: 'email', type: 'string' };

function refusal(value: unknown): string {
  try {
    checkPlanFile(value, 'plan.json');
  } catch (error) {
    assert.ok(error instanceof UsageError);
    assert.match(error.fix, /docs\/plan\.md/);
    const start = 'the plan plan.json is not valid: ';
    assert.ok(error.message.startsWith(start), error.message);
    return error.message.slice(start.length);
  }
  assert.fail('was not refused');
}

/** A plan with these columns besides `_id`. */
function refusalOf(column: object, ...others: object[]): string {
  return refusal({ columns: [id, column, ...others] });
}

describe('checkPlanFile', () => {
  it('takes the smallest plan', () => {
    assert.deepEqual(checkPlanFile({ columns: [id] }, 'plan.json'), { columns: [id] });
  });

  it('takes all keys of a plan', () => {
    const plan = {
      $schema: './docs/plan.schema.json',
      collection: 'school.users',
      sampled: '10 documents',
      schema: 'public',
      table: 'people',
      jsonStyle: 'canonical',
      nul: 'strip',
      columns: [
        { ...id, column: 'id', notNull: true },
        { ...email, notNull: false, seen: 'string 100%' },
        { column: 'city', path: 'address.city', type: 'string' },
        { column: 'raw', path: 'raw', type: 'binary', subtype: 128 },
        { column: 'a.b', path: ['address', 'a.b', ''], type: 'json' },
      ],
      extraColumn: 'rest',
      keepsWhole: false,
      drop: ['password', ['dotted.name'], 'address'],
      nested: [{ path: 'address.zip', type: 'string', seen: 'string 50%' }],
    };
    assert.deepEqual(checkPlanFile(plan, 'plan.json'), plan);
  });

  for (const [what, mistake, found] of [
    [
      'a type that does not exist',
      () => refusalOf({ ...email, type: 'strnig' }),
      /^columns\[1\]\.type: must be one of objectId, .*, not "strnig"$/,
    ],
    [
      'an unknown key',
      () => refusalOf({ ...email, notnull: true }),
      /^columns\[1\]: "notnull" is not a known key; did you mean "notNull"\?$/,
    ],
    [
      'an unknown key at the top',
      () => refusal({ columns: [id], dropped: [] }),
      /^the plan: "dropped" is not a known key; did you mean "drop"\?$/,
    ],
    [
      'a column without a type',
      () => refusalOf({ column: 'a', path: 'a' }),
      /^columns\[1\]\.type: is missing$/,
    ],
    [
      'a column without a path',
      () => refusalOf({ column: 'a', type: 'string' }),
      /^columns\[1\]\.path: is missing$/,
    ],
    [
      'a subtype that no byte holds',
      () => refusalOf({ ...email, type: 'binary', subtype: 256 }),
      /^columns\[1\]\.subtype: must be a number from 0 to 255, not 256$/,
    ],
    [
      'a subtype that is not whole',
      () => refusalOf({ ...email, type: 'binary', subtype: 1.5 }),
      /^columns\[1\]\.subtype: must be a whole number, not 1\.5$/,
    ],
    [
      'a subtype of what is not binary',
      () => refusalOf({ ...email, subtype: 4 }),
      /^columns\[1\]\.subtype: only a column of the type binary has one$/,
    ],
    ['no columns', () => refusal({}), /^columns: is missing$/],
    ['a list in place of the plan', () => refusal([]), /^the plan: must be an object, not \[\]$/],
    [
      'a text in place of true',
      () => refusalOf({ ...email, notNull: 'yes' }),
      /^columns\[1\]\.notNull: must be true or false, not "yes"$/,
    ],
    [
      'a number as a path',
      () => refusalOf({ ...email, path: 5 }),
      /^columns\[1\]\.path: must be a name or a list of names, not 5$/,
    ],
    [
      'a path of no names',
      () => refusalOf({ ...email, path: [] }),
      /^columns\[1\]\.path: must not be empty$/,
    ],
    [
      'an unknown style',
      () => refusal({ columns: [id], jsonStyle: 'pretty' }),
      /^jsonStyle: must be one of relaxed, canonical, plain, not "pretty"$/,
    ],
    [
      'two columns of one name',
      () => refusalOf(email, { ...email, path: 'mail' }),
      /^columns\[2\]\.column: "email" is the name in columns\[1\]\.column already$/,
    ],
    [
      'a column with the name of the extra column',
      () => refusalOf({ ...email, column: '_extra' }),
      /^extraColumn: "_extra" is the name in columns\[1\]\.column already$/,
    ],
    [
      'two columns of one path',
      () => refusalOf(email, { ...email, column: 'mail', path: ['email'] }),
      /^columns\[2\]\.path: "email" is in columns\[1\]\.path already$/,
    ],
    ['no _id', () => refusal({ columns: [email] }), /^columns: one must have the path "_id"/],
    [
      'a second _id',
      () => refusalOf({ ...id, column: 'id' }),
      /^columns\[1\]\.path: "_id" is in columns\[0\]\.path already$/,
    ],
    [
      'a nullable _id',
      () => refusal({ columns: [{ ...id, notNull: false }] }),
      /^columns\[0\]\.notNull: the primary key/,
    ],
    [
      'a name that Postgres would truncate',
      () => refusalOf({ ...email, column: 'é'.repeat(32) }),
      /^columns\[1\]\.column: "é+" has 64 bytes; Postgres keeps 63$/,
    ],
    [
      'a table name that Postgres would truncate',
      () => refusal({ columns: [id], table: 'x'.repeat(64) }),
      /^table: "x+" has 64 bytes/,
    ],
    [
      'an empty schema name',
      () => refusal({ columns: [id], schema: '' }),
      /^schema: a name in Postgres is not empty$/,
    ],
    [
      'a name with U+0000',
      () => refusalOf({ ...email, column: 'a\0' }),
      /^columns\[1\]\.column: .* no U\+0000$/,
    ],
    [
      'the name of a system column',
      () => refusalOf({ ...email, column: 'ctid' }),
      /^columns\[1\]\.column: every table in Postgres has a "ctid"/,
    ],
    [
      'a path with U+0000',
      () => refusalOf({ ...email, path: ['a\0'] }),
      /^columns\[1\]\.path: .* no U\+0000$/,
    ],
    [
      'a path with an empty name, as a text',
      () => refusalOf({ ...email, path: 'a..b' }),
      /^columns\[1\]\.path: "a\.\.b" has an empty name; if that is meant: \["a","","b"\]; if the dot is part of a name: \["a\.\.b"\]$/,
    ],
    [
      'dropping the _id that has a column',
      () => refusal({ columns: [id], drop: ['_id'] }),
      /^drop\[0\]: "_id" has a column, columns\[0\]$/,
    ],
    [
      'dropping what has a column',
      () => refusal({ columns: [id, email], drop: ['email'] }),
      /^drop\[0\]: "email" has a column, columns\[1\]$/,
    ],
    [
      'dropping a nested value',
      () => refusal({ columns: [id], drop: ['address.city'] }),
      /^drop\[0\]: only top-level fields can be dropped; if the dot is part of the name: \["address\.city"\]$/,
    ],
    [
      'dropping a field twice',
      () => refusal({ columns: [id], drop: ['a', ['a']] }),
      /^drop\[1\]: "a" is listed already$/,
    ],
    [
      'dropping a field of whole documents',
      () => refusal({ columns: [id], drop: ['a'], keepsWhole: true }),
      /^drop: with keepsWhole every document is kept whole$/,
    ],
  ] as const) {
    it(`refuses ${what}, and says where`, () => {
      assert.match(mistake(), found);
    });
  }

  it('takes a plan that drops the _id', () => {
    assert.deepEqual(checkPlanFile({ columns: [email], drop: ['_id'] }, 'plan.json').drop, ['_id']);
  });

  it('refuses more columns than a table can have, and takes as many as it can', () => {
    const columns = (count: number): object[] => [
      id,
      ...Array.from({ length: count - 1 }, (_, i) => ({ column: `c${i}`, path: `c${i}`, type: 'string' })),
    ];
    assert.equal(checkPlanFile({ columns: columns(1599) }, 'plan.json').columns.length, 1599);
    assert.match(
      refusal({ columns: columns(1600) }),
      /^columns: 1600 and the extra column are more than the 1600/,
    );
  });

  it('shows the first mistakes of many', () => {
    const columns = [id, ...['a', 'b', 'c', 'd', 'e'].map((name) => ({ column: name, path: name }))];
    assert.match(refusal({ columns }), /^(columns\[\d\]\.type: is missing; ){3}and 2 more$/);
  });
});

describe('readPlanFile', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mongo2pg-plan-'));
  });
  after(async () => {
    await rm(folder, { recursive: true });
  });

  it('reads a file, with or without a byte order mark', async () => {
    const file = join(folder, 'good.json');
    for (const mark of ['', '\ufeff']) {
      await writeFile(file, mark + JSON.stringify({ columns: [id] }));
      assert.deepEqual(await readPlanFile(file), { columns: [id] });
    }
  });

  it('says where a file is not JSON', async () => {
    const file = join(folder, 'bad.json');
    await writeFile(file, '{\n  "columns": [],\n}');
    await assert.rejects(readPlanFile(file), {
      exitCode: ExitCode.usage,
      message: `the plan ${file} is not JSON: line 3, column 1: a name in double quotes must come here`,
    });
  });

  it('says how to create a missing plan', async () => {
    const file = join(folder, 'none.json');
    await assert.rejects(readPlanFile(file), {
      exitCode: ExitCode.usage,
      message: `the plan ${file} cannot be read (ENOENT)`,
      fix: /npm run plan -- --out/,
    });
  });
});

describe('createPlanFileSchema', () => {
  it('refuses unknown keys, and names the types', () => {
    const schema = createPlanFileSchema() as {
      additionalProperties: boolean;
      properties: { columns: { items: { properties: { type: { enum: string[] } }; required: string[] } } };
    };
    assert.equal(schema.additionalProperties, false);
    const { items } = schema.properties.columns;
    assert.deepEqual(items.required, ['column', 'path', 'type']);
    assert.ok(items.properties.type.enum.includes('json'));
  });
});
