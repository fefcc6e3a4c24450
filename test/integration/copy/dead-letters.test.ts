import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { deserialize } from 'bson';
import { ExitCode } from '../../../src/common/errors.ts';
import { runCli } from '../../support/cli.ts';
import { noise } from '../../support/noise.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';

interface Person {
  readonly _id: number;
  readonly name: string | null;
  readonly age: number;
}

describe('rows that Postgres refuses', () => {
  let sandbox: Sandbox;
  before(async () => {
    sandbox = await createSandbox();
  });
  after(async () => {
    await sandbox.remove();
  });
  afterEach(async () => {
    await sandbox.client.query('DROP TABLE people; DROP SCHEMA mongo2pg CASCADE');
    await sandbox.db.collection('people').drop();
  });

  function run(...args: string[]) {
    return runCli(args, { ...sandbox.env, MONGO_COLLECTION: 'people', CLUSTER_SIZE: '2' });
  }

  async function migrate(people: Person[], constraints: string, ...args: string[]) {
    await sandbox.db.collection<Person>('people').insertMany(people);
    await sandbox.client.query(
      `CREATE TABLE people (_id integer, name text, age integer, _extra jsonb${constraints})`,
    );
    return await run(...args);
  }

  async function readIds(): Promise<number[]> {
    const { rows } = await sandbox.client.query<{ _id: number }>('SELECT _id FROM people ORDER BY _id');
    return rows.map(({ _id }) => _id);
  }

  async function readLetters() {
    const { rows } = await sandbox.client.query<{
      id: string;
      reason: string;
      code: string;
      column: string | null;
      detail: string;
      document: Buffer;
    }>(
      `SELECT document_id AS id, reason, code, column_name AS "column", detail, document
         FROM mongo2pg.dead_letters ORDER BY range_no, batch, ordinal`,
    );
    return rows;
  }

  const people = (count: number, change: (person: Person) => Partial<Person> = () => ({})): Person[] =>
    Array.from({ length: count }, (_, index) => {
      const person = { _id: index + 1, name: `name ${index + 1}`, age: 30 };
      return { ...person, ...change(person) };
    });

  it('become dead letters with the reason, the column and the code; all others are loaded', async () => {
    const change = ({ _id }: Person) => {
      if (_id === 500) return { name: null };
      if (_id === 501) return { age: 200 };
      if (_id === 700) return { name: 'name 7' };
      return {};
    };
    const { code, stdout } = await migrate(
      people(1_000, change),
      ', CHECK (age < 150), UNIQUE (name), CONSTRAINT named CHECK (name IS NOT NULL)',
    );
    assert.equal(code, ExitCode.deadLetters);
    assert.match(stdout, /read 1,000 = copied 997 \+ dead-lettered 3/);
    assert.deepEqual(
      await readIds(),
      people(1_000)
        .map(({ _id }) => _id)
        .filter((_id) => ![500, 501, 700].includes(_id)),
    );
    const letters = await readLetters();
    assert.deepEqual(
      letters.map(({ id, reason, code: state }) => [id, reason, state]),
      [
        ['{"$numberInt":"500"}', 'refused', '23514'],
        ['{"$numberInt":"501"}', 'refused', '23514'],
        ['{"$numberInt":"700"}', 'refused', '23505'],
      ],
    );
    assert.match(letters[0]?.detail ?? '', /constraint "named"/);
    assert.match(letters[2]?.detail ?? '', /Key \(name\)=\(name 7\) already exists/);
    assert.deepEqual(deserialize(letters[1]?.document ?? Buffer.alloc(0)), {
      _id: 501,
      name: 'name 501',
      age: 200,
    });
    // The same command again has nothing to do, and reports the same.
    for (const args of [['--dry-run'], []]) {
      const again = await run(...args);
      assert.equal(again.code, ExitCode.deadLetters, again.stderr);
      assert.match(again.stdout + again.stderr, /is copied already: run 1 .*: 997 rows, 3 dead letters/);
    }
  });

  it('NOT NULL names the column', async () => {
    await migrate(
      people(10, ({ _id }) => (_id === 3 ? { name: null } : {})),
      '',
      '--max-dead-letters',
      '5',
    );
    // Created here, with the constraint, for a second collection of the same name.
    await sandbox.client.query(
      'DROP TABLE people; CREATE TABLE people (_id integer, name text NOT NULL, age integer, _extra jsonb)',
    );
    assert.equal((await run()).code, ExitCode.deadLetters);
    const [letter] = await readLetters();
    assert.deepEqual([letter?.code, letter?.column], ['23502', 'name']);
  });

  it('a trigger that raises an error, and one that silently skips rows', async () => {
    await sandbox.client.query(`
      CREATE FUNCTION pg_temp_check() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF NEW._id = 4 THEN RAISE EXCEPTION 'four is not welcome'; END IF;
        IF NEW._id = 5 THEN RETURN NULL; END IF;
        RETURN NEW;
      END $$`);
    await sandbox.db.collection<Person>('people').insertMany(people(9));
    await sandbox.client.query(`
      CREATE TABLE people (_id integer, name text, age integer, _extra jsonb);
      CREATE TRIGGER checks BEFORE INSERT ON people FOR EACH ROW EXECUTE FUNCTION pg_temp_check()`);
    const { code } = await run();
    assert.equal(code, ExitCode.deadLetters);
    assert.deepEqual(await readIds(), [1, 2, 3, 6, 7, 8, 9]);
    const letters = await readLetters();
    assert.deepEqual(
      letters.map(({ code: state, detail }) => [state, detail]),
      [
        ['P0001', 'four is not welcome'],
        ['P0001', 'a trigger of the table left the row out'],
      ],
    );
  });

  it('for any reason: constraints, generated columns, triggers with any SQLSTATE', async () => {
    /** By the `_id` of the row. */
    const refused: readonly (readonly [_id: number, code: string, detail: RegExp])[] = [
      [3, '23514', /violates check constraint/],
      [4, '23P01', /conflicting key value violates exclusion constraint/],
      [5, '22012', /division by zero/],
      [6, '23503', /violates foreign key constraint/],
      [7, '23514', /value for domain word violates check constraint/],
      [11, 'P0001', /eleven is not welcome/],
      // SQLSTATEs of other databases for user-defined errors.
      [12, '45000', /twelve is not welcome/],
      [13, 'AB123', /thirteen is not welcome/],
      // Raised by the trigger, and not by Postgres for a missing privilege or table.
      [14, '42501', /fourteen is not welcome/],
      [15, '42P01', /fifteen is not welcome/],
      [16, '55000', /sixteen is not welcome/],
      [17, '2BP01', /seventeen is not welcome/],
      [18, '26000', /eighteen is not welcome/],
    ];
    const raise = ([_id, code, { source }]: (typeof refused)[number]) =>
      `IF NEW._id = ${_id} THEN RAISE EXCEPTION '${source}' USING ERRCODE = '${code}'; END IF;`;
    const change = ({ _id }: Person) => (_id === 7 ? { name: 'two words' } : { name: `name${_id}` });
    await sandbox.db.collection<Person>('people').insertMany(people(30, change));
    await sandbox.client.query(`
      CREATE DOMAIN word AS text CHECK (VALUE !~ ' ');
      CREATE TABLE known (_id integer PRIMARY KEY);
      INSERT INTO known SELECT n FROM generate_series(1, 30) AS n WHERE n <> 6;
      CREATE TABLE people (
        _id integer REFERENCES known, name word, age integer, _extra jsonb, CHECK (_id <> 3),
        EXCLUDE USING btree ((CASE WHEN _id = 4 THEN 2 ELSE _id END) WITH =),
        share integer GENERATED ALWAYS AS (1 / (_id - 5)) STORED);
      CREATE FUNCTION welcome() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN ${refused
          .filter(([_id]) => _id > 10)
          .map(raise)
          .join(' ')} RETURN NEW; END $$;
      CREATE TRIGGER welcome BEFORE INSERT ON people FOR EACH ROW EXECUTE FUNCTION welcome()`);
    try {
      const { code, stderr } = await run();
      assert.equal(code, ExitCode.deadLetters, stderr);
      const letters = await readLetters();
      assert.deepEqual(
        letters.map(({ id, code: state }) => [id, state]),
        refused.map(([_id, state]) => [`{"$numberInt":"${_id}"}`, state]),
      );
      for (const [index, [, , detail]] of refused.entries()) {
        assert.match(letters[index]?.detail ?? '', detail);
      }
      assert.equal((await readIds()).length, 30 - refused.length);
      const verified = await run('verify');
      assert.equal(verified.code, ExitCode.ok, verified.stdout);
      // A retry is rejected for the same reasons.
      const again = await run('retry');
      assert.equal(again.code, ExitCode.deadLetters, again.stderr);
      assert.match(again.stderr, /0 dead letters loaded, 13 left/);
    } finally {
      await sandbox.client.query('DROP TABLE people, known; DROP DOMAIN word; CREATE TABLE people ()');
    }
  });

  describe('for a user that is not a superuser', () => {
    let role = '';
    let url = '';
    before(async () => {
      role = `${sandbox.mongoDb}_guest`;
      await sandbox.client.query(
        `CREATE ROLE ${role} LOGIN PASSWORD 'secret'; GRANT CREATE ON DATABASE ${sandbox.mongoDb} TO ${role}`,
      );
      const own = new URL(sandbox.postgresUrl);
      own.username = role;
      own.password = 'secret';
      url = own.href;
    });
    after(async () => {
      await sandbox.client.query(`DROP OWNED BY ${role} CASCADE; DROP ROLE ${role}`);
    });

    const runAsGuest = (...args: string[]) =>
      runCli(args, { ...sandbox.env, POSTGRES_URL: url, MONGO_COLLECTION: 'people', CLUSTER_SIZE: '2' });

    async function setUp(count: number, sql: string): Promise<void> {
      await sandbox.db.collection<Person>('people').insertMany(people(count));
      await sandbox.client.query(`
        CREATE TABLE people (_id integer PRIMARY KEY, name text, age integer, _extra jsonb);
        GRANT SELECT, INSERT ON people TO ${role}; ${sql}`);
    }

    it('row level security rejects single rows, or all of a batch', async () => {
      await setUp(
        60,
        `ALTER TABLE people ENABLE ROW LEVEL SECURITY;
         CREATE POLICY guests ON people TO ${role} USING (true) WITH CHECK (_id <> 4 AND _id <= 20)`,
      );
      const { code, stdout, stderr } = await runAsGuest('--items-per-page', '10');
      assert.equal(code, ExitCode.deadLetters, stderr);
      assert.match(stdout, /read 60 = copied 19 \+ dead-lettered 41/);
      assert.match(
        stdout,
        /41 because of refused \(42501: new row violates row-level security policy for table "people"\)/,
      );
      const verified = await runAsGuest('verify');
      assert.equal(verified.code, ExitCode.ok, verified.stdout);
      await sandbox.client.query('ALTER POLICY guests ON people WITH CHECK (_id <> 4)');
      const retried = await runAsGuest('retry');
      assert.equal(retried.code, ExitCode.deadLetters, retried.stderr);
      assert.match(retried.stderr, /40 dead letters loaded, 1 left/);
    });

    it('a missing privilege of a trigger, or on the table, stops the run, as it affects all rows', async () => {
      await setUp(
        60,
        `CREATE TABLE audit (_id integer);
         CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$
           BEGIN INSERT INTO audit VALUES (NEW._id); RETURN NEW; END $$;
         CREATE TRIGGER audit BEFORE INSERT ON people FOR EACH ROW EXECUTE FUNCTION audit()`,
      );
      try {
        const { code, stderr } = await runAsGuest('--items-per-page', '10');
        assert.equal(code, ExitCode.target);
        assert.match(
          stderr,
          /permission denied for table audit — grant user "\w+" that right, .*the same command resumes/,
        );
        assert.deepEqual([await readIds(), await readLetters()], [[], []]);
        await sandbox.client.query(`GRANT INSERT ON audit TO ${role}`);
        assert.equal((await runAsGuest()).code, ExitCode.ok);
        assert.equal((await readIds()).length, 60);
      } finally {
        await sandbox.client.query('DROP TABLE audit; DROP FUNCTION audit CASCADE');
      }
    });
  });

  it('a deferred constraint, which is checked at COMMIT', async () => {
    const constraint = ', parent integer, UNIQUE (name) DEFERRABLE INITIALLY DEFERRED';
    const { code } = await migrate(
      people(20, ({ _id }) => (_id === 13 ? { name: 'name 2' } : {})),
      constraint,
    );
    assert.equal(code, ExitCode.deadLetters);
    assert.deepEqual(
      (await readLetters()).map(({ id }) => id),
      ['{"$numberInt":"13"}'],
    );
  });

  const wideNames = Array.from({ length: 1_500 }, (_, index) => `f${index}`);

  /** Two of 100 have a value in every column, too wide for a page. */
  async function insertWide(): Promise<void> {
    const wide = (_id: number) => ({
      _id,
      ...Object.fromEntries(wideNames.map((name) => [name, 0.5 + _id])),
    });
    const narrow = (_id: number) => {
      const third = wideNames.slice((_id % 3) * 500, ((_id % 3) + 1) * 500);
      return { _id, ...Object.fromEntries(third.map((name) => [name, 0.5 + _id])) };
    };
    await sandbox.db
      .collection<{ _id: number }>('people')
      .insertMany(
        Array.from({ length: 100 }, (_, _id) => (_id === 37 || _id === 99 ? wide(_id) : narrow(_id))),
      );
  }

  it('a row too wide for a page is none: its rarest fields are kept in the extra column', async () => {
    await insertWide();
    const { code, stdout, stderr } = await run('--verify');
    assert.equal(code, ExitCode.ok, stderr);
    assert.match(stdout, /read 100 = copied 100 \+ dead-lettered 0/);
    assert.match(stdout, /_extra: 2 values of "f\d+" \(double, row too wide\)/);
    assert.match(stdout, /compared 100 = equal 100 \+/);
    // The fields of the second third are in one document fewer.
    const { rows } = await sandbox.client.query<Record<'f0' | 'f999' | 'extra', number | null>>(
      `SELECT f0, f999, (_extra->>'f999')::float8 AS extra FROM people WHERE _id IN (1, 37) ORDER BY _id`,
    );
    assert.deepEqual(rows, [
      { f0: null, f999: 1.5, extra: null },
      { f0: 37.5, f999: null, extra: 37.5 },
    ]);
  });

  it('a row that is too wide, without an extra column; COPY reports it late and with the line of another', async () => {
    await insertWide();
    await sandbox.client.query(
      `CREATE TABLE people (_id integer, ${wideNames.map((name) => `${name} float8`).join(', ')})`,
    );
    const { code, stdout, stderr } = await run();
    assert.equal(code, ExitCode.deadLetters, stderr);
    assert.match(stdout, /read 100 = copied 98 \+ dead-lettered 2/);
    assert.match(stdout, /row is too big: size [0-9]+, maximum size 8160/);
    assert.deepEqual(
      (await readLetters()).map(({ id, code: state }) => [id, state]),
      [
        ['{"$numberInt":"37"}', '54000'],
        ['{"$numberInt":"99"}', '54000'],
      ],
    );
  });

  it('an _id that is too long for the primary key, which is built after the load', async () => {
    // 2,704 bytes with the header, and some that are short enough after compression.
    const ids = [noise(1, 2_692), noise(2, 2_693), noise(3, 9_000), 'x'.repeat(9_000), 'short'];
    await sandbox.db.collection<{ _id: string }>('people').insertMany(ids.map((_id) => ({ _id })));
    const { code, stdout, stderr } = await run();
    assert.equal(code, ExitCode.deadLetters, stderr);
    assert.match(stdout, /read 5 = copied 3 \+ dead-lettered 2/);
    const { rows } = await sandbox.client.query<{ length: number }>(
      'SELECT length(_id) AS length FROM people ORDER BY length',
    );
    assert.deepEqual(
      rows.map(({ length }) => length),
      [5, 2_692, 9_000],
    );
    const letters = (await readLetters()).map(({ code: state, column, detail }) => [state, column, detail]);
    assert.deepEqual(
      letters.map(([state, column]) => [state, column]),
      [
        ['54000', '_id'],
        ['54000', '_id'],
      ],
    );
    const details = letters.map(([, , detail]) => detail).join('\n');
    assert.match(details, /index row size 2712 exceeds btree version 4 maximum 2704/);
    assert.match(details, /index row requires \d+ bytes, maximum size is 8191/);
    const verified = await run('verify');
    assert.equal(verified.code, ExitCode.ok, verified.stdout);
    assert.match(verified.stdout, /compared 5 = equal 3 \+ dead-lettered 2/);
  });

  it('half of 10,000 in one batch', async () => {
    const { code, stdout } = await migrate(
      people(10_000, ({ _id }) => ({ age: _id % 2 })),
      ', CHECK (age = 0)',
    );
    assert.equal(code, ExitCode.deadLetters);
    assert.match(stdout, /read 10,000 = copied 5,000 \+ dead-lettered 5,000/);
    assert.equal((await readLetters()).length, 5_000);
    assert.deepEqual(
      (await readIds()).every((_id) => _id % 2 === 0),
      true,
    );
  });

  it('too many of them stop the run, which resumes with a higher limit', async () => {
    const all = people(2_000, ({ _id }) => ({ age: _id <= 100 ? 200 : 1 }));
    const bounds = ['--items-per-page', '10', '--max-dead-letters'];
    const { code, stderr } = await migrate(all, ', CHECK (age < 150)', ...bounds, '50');
    assert.equal(code, ExitCode.deadLetters);
    assert.match(stderr, /more than MAX_DEAD_LETTERS.*the same command resumes from there/);
    assert.ok((await readIds()).length < 1_900, 'it did not just run to its end');
    const { code: second, stdout } = await run(...bounds, '100');
    assert.equal(second, ExitCode.deadLetters);
    assert.match(stdout, /read 2,000 = copied 1,900 \+ dead-lettered 100/);
  });

  it('retry loads those that the fixed table accepts, and keeps the others with their reason', async () => {
    const change = ({ _id }: Person) => {
      if (_id === 5) return { age: 200 };
      return _id === 6 ? { name: 'N\0UL' } : {};
    };
    await migrate(people(10, change), ', CONSTRAINT young CHECK (age < 150)');
    const first = await run('retry');
    assert.equal(first.code, ExitCode.deadLetters);
    assert.match(first.stderr, /0 dead letters loaded, 2 left/);
    await sandbox.client.query('ALTER TABLE people DROP CONSTRAINT young');
    const second = await run('retry');
    assert.equal(second.code, ExitCode.deadLetters);
    assert.match(second.stderr, /1 dead letter loaded, 1 left/);
    assert.match(second.stderr, /1 because of nul/);
    assert.deepEqual(await readIds(), [1, 2, 3, 4, 5, 7, 8, 9, 10]);
    const { rows } = await sandbox.client.query(
      'SELECT sum(copied)::int AS copied, sum(dead_lettered)::int AS letters FROM mongo2pg.batches',
    );
    assert.deepEqual(rows, [{ copied: 9, letters: 1 }]);
  });

  it('retry reports an unknown run', async () => {
    await migrate(people(1), '');
    const { code, stderr } = await runCli(['retry'], { ...sandbox.env, MONGO_COLLECTION: 'nothing' });
    assert.equal(code, ExitCode.usage);
    assert.match(stderr, /the ledger has no run into public\.nothing/);
  });
});
