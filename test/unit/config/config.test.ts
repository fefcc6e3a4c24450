import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, it } from 'node:test';
import { Long, serialize } from 'bson';
import { loadDotEnv, readConfig, type Flags } from '../../../src/config/config.ts';
import type { Environment } from '../../../src/config/option-value.ts';
import { optionNames, options } from '../../../src/config/options.ts';
import type { Option } from '../../../src/config/options/option.ts';
import { ExitCode, UsageError } from '../../../src/common/errors.ts';

const bothUrls = { MONGO_URL: 'mongodb://localhost:27017', POSTGRES_URL: 'postgres://localhost/db' };

function read(env: Environment, flags: Flags = {}) {
  return readConfig('start', flags, env);
}

function refusal(env: Environment, flags: Flags = {}): UsageError {
  try {
    read(env, flags);
  } catch (error) {
    assert.ok(error instanceof UsageError);
    assert.equal(error.exitCode, ExitCode.usage);
    return error;
  }
  assert.fail('was not refused');
}

describe('.env', () => {
  const variables = ['SOURCE', 'MONGO_URL', 'MONGO_DB'] as const;

  /** The environment with the file's variables. */
  function load(file: string, env: Environment): Environment {
    const [folder, before] = [mkdtempSync(join(tmpdir(), 'mongo2pg-env-')), process.cwd()];
    const saved = { ...process.env };
    try {
      for (const name of variables) Reflect.deleteProperty(process.env, name);
      Object.assign(process.env, env);
      writeFileSync(join(folder, '.env'), file);
      process.chdir(folder);
      loadDotEnv();
      return Object.fromEntries(variables.map((name) => [name, process.env[name]]));
    } finally {
      process.chdir(before);
      for (const name of variables) Reflect.deleteProperty(process.env, name);
      Object.assign(process.env, saved);
      rmSync(folder, { recursive: true });
    }
  }

  const unset = { SOURCE: undefined, MONGO_URL: undefined, MONGO_DB: undefined };

  it('sets variables that the environment does not have', () => {
    const env = load('MONGO_URL=mongodb://a\nMONGO_DB=b\n', { MONGO_DB: 'c' });
    assert.deepEqual(env, { ...unset, MONGO_URL: 'mongodb://a', MONGO_DB: 'c' });
  });

  it('does not add a second source if the environment has one', () => {
    assert.deepEqual(load('MONGO_URL=mongodb://a\nMONGO_DB=b\n', { SOURCE: 'dump' }), {
      ...unset,
      SOURCE: 'dump',
      MONGO_DB: 'b',
    });
    const server = { MONGO_URL: 'mongodb://c' };
    assert.deepEqual(load('SOURCE=dump\n', server), { ...unset, ...server });
    assert.deepEqual(load('SOURCE=dump\n', { MONGO_URL: '' }), { ...unset, SOURCE: 'dump', MONGO_URL: '' });
  });
});

describe('readConfig', () => {
  it('uses both embedded servers if no URL is set', () => {
    const config = read({});
    assert.deepEqual([config.mongoUrl.reveal(), config.postgresUrl.reveal()], ['embedded', 'embedded']);
  });

  it('has the documented defaults', () => {
    const config = read({});
    assert.equal(config.mongoDb, 'school');
    assert.equal(config.mongoCollection, 'users');
    assert.equal(config.postgresSchema, 'public');
    assert.equal(config.clusterSizeMultiplier, 3);
    assert.equal(config.clusterSize, 'auto');
    assert.equal(config.itemsPerPage, 20_000);
    assert.equal(config.amountUsers, undefined);
    assert.equal(config.amountUsersSeed, 100_000);
    assert.equal(config.ifExists, undefined);
  });

  it('has each setting under its name in the table, and no other', () => {
    assert.deepEqual(Object.keys(read({})).sort(), [...optionNames].sort());
  });

  it('reads each default as it reads what is given', () => {
    for (const name of optionNames) {
      const option: Option = options[name];
      if (option.default === '' || option.kind === 'switch') continue;
      const config = readConfig(option.commands[0] ?? 'start', { [name]: option.default }, {});
      assert.deepEqual(config[name], read({})[name], name);
    }
  });

  it('prefers a flag to the environment', () => {
    assert.equal(read({ CLUSTER_SIZE: '4' }, { clusterSize: '2' }).clusterSize, 2);
  });

  it('takes an empty variable as not set', () => {
    assert.equal(read({ CLUSTER_SIZE: '', MONGO_URL: '' }).clusterSize, 'auto');
  });

  for (const [set, missing] of [
    ['MONGO_URL', 'POSTGRES_URL'],
    ['POSTGRES_URL', 'MONGO_URL'],
  ] as const) {
    it(`refuses ${set} without ${missing}, and says what to do`, () => {
      const error = refusal({ [set]: bothUrls[set] });
      assert.equal(error.message, `${set} is set but ${missing} is not`);
      assert.match(error.fix, new RegExp(`${missing}=embedded`));
    });

    it(`takes ${set} with ${missing}=embedded`, () => {
      const config = read({ [set]: bothUrls[set], [missing]: 'embedded' });
      assert.notEqual(config.mongoUrl.reveal(), config.postgresUrl.reveal());
    });
  }

  it('needs no POSTGRES_URL to seed', () => {
    const config = readConfig('seed', {}, { MONGO_URL: bothUrls.MONGO_URL });
    assert.equal(config.mongoUrl.reveal(), bothUrls.MONGO_URL);
  });

  it("takes the database of the URL before the default, and MONGO_DB before the URL's", () => {
    const env = { ...bothUrls, MONGO_URL: 'mongodb://localhost/shop' };
    assert.equal(read(env).mongoDb, 'shop');
    assert.equal(read({ ...env, MONGO_DB: 'school' }).mongoDb, 'school');
  });

  for (const [variable, value] of [
    ['CLUSTER_SIZE', '-3'],
    ['CLUSTER_SIZE', '0'],
    ['CLUSTER_SIZE', '2.5'],
    ['CLUSTER_SIZE', 'many'],
    ['CLUSTER_SIZE_MULTIPLIER', '0'],
    ['ITEMS_PER_PAGE', '0'],
    ['ITEMS_PER_PAGE', '1e3'],
    ['AMOUNT_USERS', '-1'],
    ['AMOUNT_USERS_SEED', '0'],
    ['IF_EXISTS', 'replace'],
    ['CLUSTER_IMPLEMENTATION', 'fork'],
    ['JSON_LINES', 'perhaps'],
  ] as const) {
    it(`refuses ${variable}=${value}`, () => {
      const error = refusal({ [variable]: value });
      assert.match(error.message, new RegExp(`^${variable} must be .*, not "${value}"$`));
    });
  }

  for (const [variable, value] of [
    ['MONGO_URL', 'localhost:27017'],
    ['MONGO_URL', 'mongodb://user:se@cret@host'],
    ['POSTGRES_URL', 'localhost/db'],
    ['POSTGRES_URL', 'postgres://user:secret@host:99999/db'],
    ['POSTGRES_URL', 'postgres://user:secret@host'],
    ['POSTGRES_URL', 'mysql://user:secret@host/db'],
  ] as const) {
    it(`refuses ${variable}=${value}, and does not repeat it`, () => {
      const error = refusal({ ...bothUrls, [variable]: value });
      assert.match(error.message, new RegExp(`^${variable} (is not a|names no)`));
      assert.doesNotMatch(error.message + error.fix, /cret/);
    });
  }

  it('ignores settings that the command does not use', () => {
    assert.equal(readConfig('seed', {}, { CLUSTER_SIZE: '-3' }).amountUsersSeed, 100_000);
  });

  it('has plan settings that change nothing unless they are set', () => {
    const { filter, plan, schema, objectId, requiredNotNull, jsonStyle, nul } = read({});
    assert.deepEqual(
      { filter, plan, schema, objectId, requiredNotNull, jsonStyle, nul },
      {
        filter: undefined,
        plan: undefined,
        schema: 'columns',
        objectId: 'text',
        requiredNotNull: false,
        jsonStyle: 'relaxed',
        nul: 'reject',
      },
    );
  });

  it('reads a filter with its types', () => {
    assert.deepEqual(
      read({ FILTER: '{"a": {"$gt": {"$numberLong": "5"}}}' }).filter,
      Buffer.from(serialize({ a: { $gt: Long.fromNumber(5) } })),
    );
    assert.match(refusal({ FILTER: '{a: 1}' }).message, /^FILTER is not JSON: line 1, column 2/);
    assert.match(refusal({}, { filter: '[]' }).message, /^--filter must be an object/);
  });

  it('finds plan files from the current folder', () => {
    assert.equal(read({ PLAN: 'plans/users.json' }).plan, resolve('plans/users.json'));
    assert.equal(readConfig('plan', { out: 'plan.json' }, {}).out, resolve('plan.json'));
  });

  for (const [flag, variable, value] of [
    ['schema', 'PLAN_SCHEMA', 'tables'],
    ['objectId', 'OBJECT_ID', 'uuid'],
    ['jsonStyle', 'JSON_STYLE', 'pretty'],
    ['nul', 'NUL', 'keep'],
    ['requiredNotNull', 'REQUIRED_NOT_NULL', 'perhaps'],
  ] as const) {
    it(`refuses ${variable}=${value}, and the flag by its own name`, () => {
      assert.match(
        refusal({ [variable]: value }).message,
        new RegExp(`^${variable} must be .*, not "${value}"$`),
      );
      const name = flag.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
      assert.match(refusal({}, { [flag]: value }).message, new RegExp(`^--${name} must be`));
    });
  }

  it('needs no POSTGRES_URL to plan', () => {
    const { mongoUrl } = readConfig('plan', {}, { MONGO_URL: bothUrls.MONGO_URL });
    assert.equal(mongoUrl.reveal(), bothUrls.MONGO_URL);
  });

  describe('with a dump', () => {
    const env = { SOURCE: 'dump/school/users%2Fold.bson.gz', POSTGRES_URL: bothUrls.POSTGRES_URL };

    it('needs no URL of MongoDB, and takes the collection from the file', () => {
      const config = read(env);
      assert.equal(config.source, resolve(env.SOURCE));
      assert.deepEqual(
        [config.mongoUrl.reveal(), config.mongoDb, config.mongoCollection],
        ['', '', 'users/old'],
      );
      assert.deepEqual(
        read({ ...env, MONGO_DB: 'a', MONGO_COLLECTION: 'b' }),
        Object.freeze({ ...config, mongoDb: 'a', mongoCollection: 'b' }),
      );
    });

    for (const [path, collection] of [
      ['dump/school', '*'],
      ['all.archive', '*'],
      ['all.gz', '*'],
      ['users.jsonl', 'users'],
      ['users.json.gz', 'users'],
      ['100%.bson', '100%'],
      ['a,b.bson', '*'],
    ] as const) {
      it(`copies ${collection} of ${path}`, () => {
        assert.equal(read({ ...env, SOURCE: path }).mongoCollection, collection);
      });
    }

    it('names the collection for retry as well', () => {
      assert.equal(readConfig('retry', {}, env).mongoCollection, 'users/old');
    });

    it('is one of two sources: a flag takes precedence, and two from the same place are refused', () => {
      const both = { ...env, MONGO_URL: bothUrls.MONGO_URL };
      assert.match(refusal(both).message, /SOURCE and MONGO_URL are both set/);
      assert.match(
        refusal(env, { source: 'a', mongoUrl: bothUrls.MONGO_URL }).message,
        /--source and --mongo-url/,
      );
      assert.ok(read(both, { source: 'a.bson' }).mongoUrl.is(''));
      assert.equal(read(both, { mongoUrl: bothUrls.MONGO_URL }).source, undefined);
    });

    it('refuses to load it into a trial server by accident', () => {
      assert.equal(refusal({ SOURCE: env.SOURCE }).message, 'SOURCE is set but POSTGRES_URL is not');
    });

    it('refuses unsupported operators of a filter', () => {
      assert.deepEqual(read({ ...env, FILTER: '{"a": "b"}' }).filter, Buffer.from(serialize({ a: 'b' })));
      for (const [filter, problem] of [
        [
          '{"$or": [{"a.b": {"$elemMatch": {"c": 1}}}]}',
          'the operator $elemMatch is not supported, at "a.b"',
        ],
        ['{"a": {"$gtee": 1}}', 'unknown operator: $gtee, at "a"'],
        ['{"$where": "true"}', 'the operator $where is not supported'],
      ] as const) {
        const { message } = refusal({ ...env, FILTER: filter });
        assert.equal(message, `FILTER cannot be applied to a dump: ${problem}`);
      }
    });

    it('refuses a plan for several collections', () => {
      assert.match(
        refusal({ ...env, SOURCE: 'dump', PLAN: 'plan.json' }).message,
        /PLAN is for one collection/,
      );
    });
  });
});

describe('a share', () => {
  const share = (value: string) => read({ ...bothUrls, VERIFY_SAMPLE: value }).sample;

  it('is a percentage above 0 and up to 100', () => {
    for (const [value, expected] of [
      ['100%', 1],
      ['1%', 0.01],
      ['0.001%', 0.00001],
      ['0.0000000001%', 1e-12],
    ] as const) {
      assert.equal(share(value), expected, value);
    }
    assert.equal(read(bothUrls).sample, 1);
  });

  it('is nothing else', () => {
    for (const value of [
      '0%',
      '0.0%',
      '150%',
      '100.001%',
      '1',
      '-1%',
      '1e-3%',
      '.5%',
      '5,5%',
      '5 %',
      '%',
      'NaN%',
    ]) {
      assert.match(
        refusal({ ...bothUrls, VERIFY_SAMPLE: value }).message,
        /VERIFY_SAMPLE must be a share above 0% and up to 100%/,
        value,
      );
    }
  });
});
