/** Mistakes of users: each input with its expected error. */

import { ExitCode } from '../../src/common/errors.ts';
import { withMongoUser } from './mongo-url.ts';
import { longName, planMistakes, password, secretUrls } from './wrong-plans.ts';

/** The environment of the inputs. */
export interface Place {
  /** A folder with the files of `wrongFiles`. */
  readonly folder: string;
  readonly mongoUrl: string;
  readonly postgresUrl: string;
  /** A port with a listener that is neither server. */
  readonly takenPort: number;
}

export interface WrongInput {
  readonly args: readonly string[];
  /** Overrides the URLs of working servers. */
  readonly env: Readonly<Record<string, string>>;
  readonly exitCode: ExitCode;
  readonly code: string;
  /** The fix is in the message, or after the dash. */
  readonly says: RegExp;
}

type Env = Readonly<Record<string, string>>;

const { usage, source, target } = ExitCode;

/** In the order in which a start detects them: the command line, the settings, files, servers, and their contents. */
export function listWrongInputs(place: Place): WrongInput[] {
  const list: WrongInput[] = [];
  const add = (
    exitCode: ExitCode,
    code: string,
    says: RegExp,
    ...inputs: readonly (string | readonly string[] | Env)[]
  ): void => {
    for (const input of inputs) {
      const args = typeof input === 'string' ? [input] : Array.isArray(input) ? (input as string[]) : [];
      const env = typeof input === 'string' || Array.isArray(input) ? {} : (input as Env);
      list.push({ args, env, exitCode, code, says });
    }
  };
  addCommandLines(add);
  addValues(add);
  addUrlsInWrongPlaces(add);
  addUrls(add, place);
  addFilters(add, place);
  addPlans(add, place);
  // The next ones begin runs, which make a ledger.
  add(usage, 'LEDGER_MISSING', /has no ledger: .* — give POSTGRES_URL the database/, ['status']);
  add(
    usage,
    'NOTHING_TO_TUNE',
    /no process is copying into this PostgreSQL — set MAX_RATE and LOAD_LEVEL with the start/,
    ['tune'],
    ['tune', '--max-rate=5', '--load-level=low'],
  );
  addScripts(add, place);
  addDumps(add, place);
  addOutputs(add, place);
  addServers(add, place);
  return list;
}

type Add = (
  exitCode: ExitCode,
  code: string,
  says: RegExp,
  ...inputs: readonly (string | readonly string[] | Env)[]
) => void;

function addCommandLines(add: Add): void {
  add(
    usage,
    'COMMAND_LINE',
    /Unknown argument.* — see .*--help/,
    '--mongo-uri=x',
    '-x',
    'migrate',
    '--no-mongo-collection',
    '--no-mongo-url',
    '--mongo-collection.x=1',
    ['plan', '--verify'],
    ['plan', '--postgres-url=x'],
    ['status', '--mongo-url=x'],
    ['verify', '--restart'],
    ['retry', '--dry-run'],
    ['seed', '--plan=x'],
    ['servers', '--json'],
    ...secretUrls,
    ['status', secretUrls[0]],
    [`--mongo-uri=${secretUrls[0]}`],
    [`mongodb://user:${password} and more@host/db`],
  );
  add(
    usage,
    'COMMAND_LINE',
    /Not enough arguments following: .* — see .*--help/,
    '--plan',
    ['--mongo-url', '--json'],
    ['plan', '--out'],
    ['verify', '--sample'],
  );
  add(
    usage,
    'OPTION_TWICE',
    /is given twice, with different values — give it once/,
    ['--json', '--no-json'],
    ['--dry-run', '--dry-run=no'],
    ['--dryRun', '--no-dry-run'],
    ['--cluster-size', '1', '--cluster-size=2'],
    ['--clusterSize=1', '--cluster-size=2'],
    ['--mongo-collection=a', '--mongo-collection=b'],
    ['--if-exists=drop', '--if-exists=append'],
    ['--filter={}', '--filter={"a":1}'],
    ['--mongo-url', secretUrls[0], '--mongo-url', `${secretUrls[0]}2`],
    ['--postgres-url', secretUrls[1], '--postgres-url', `${secretUrls[1]}2`],
  );
}

function addValues(add: Add): void {
  add(
    usage,
    'OPTION_INVALID',
    /must be true or false \(or 1, 0, yes, no, on, off\), not /,
    ...['maybe', '2', '-1', 'tru', 'y', 'null', '10', 'yes please', 'true,false'].map(
      (value) => `--dry-run=${value}`,
    ),
    { DRY_RUN: 'maybe' },
    { RESTART: '2' },
    { VERIFY: 'y' },
    { JSON_LINES: 'perhaps' },
    { REQUIRED_NOT_NULL: 'required' },
    ['plan', '--force=f'],
    ['status', '--watch=5'],
    ['status', '--all=*'],
  );
  add(
    usage,
    'OPTION_INVALID',
    /must be not empty/,
    '--mongo-collection=',
    '--plan=',
    '--mongo-url=',
    '--cluster-size=',
  );
  add(usage, 'OPTION_INVALID', /must be not empty/, '--postgres-schema= ', '--filter=', '--if-exists=', [
    'plan',
    '--out=',
  ]);
  add(
    usage,
    'OPTION_INVALID',
    /must be (auto or )?a whole number from \d+ to \d+, not "/,
    ...['-3', '0', '2.5', 'many', '1001', '1e3', '٣', '0x10', '+5'].map((value) => ({ CLUSTER_SIZE: value })),
    ['--cluster-size', '-1'],
    { CLUSTER_SIZE_MULTIPLIER: '101' },
    { ITEMS_PER_PAGE: '1000001' },
    { READ_RANGES: '65' },
    { MAX_IN_FLIGHT_MB: '0' },
    { MAX_DEAD_LETTERS: '-1' },
    { RETRY_SECONDS: '1m' },
    { ANSWER_TIMEOUT_SECONDS: '0' },
    { WORKER_TIMEOUT_SECONDS: '1' },
    { SAMPLE_SIZE: '0' },
    { METRICS_PORT: '65536' },
    { INDEX_JOBS: '0' },
    { AMOUNT_USERS: '100,000' },
    ['seed', '--amount-users-seed=0'],
    ...['-1', '21', '1.5', 'all', '{"address": 1}', '1,2'].map((value) => ({ FLATTEN: value })),
    ['plan', '--flatten=deep'],
  );
  add(
    usage,
    'OPTION_INVALID',
    /must be documents a second, such as 5000, megabytes a second, such as 20MB, or none, not "/,
    ...['0', '-5', '0.5', 'fast', '5GB', '0MB', '1e3'].map((value) => ({ MAX_RATE: value })),
    ...['0', '-1', '5 000', '20MiB', 'many', '٣'].map((value) => ['tune', `--max-rate=${value}`]),
  );
  add(
    usage,
    'OPTION_INVALID',
    /must be one of \w+, .*, not "/,
    { LOAD_LEVEL: 'none' },
    { LOAD_LEVEL: 'Low' },
    ['tune', '--load-level=fast'],
    ['verify', '--load-level=0'],
    { SCALAR_ARRAYS: 'json' },
    { IF_EXISTS: 'replace' },
    { IF_EXISTS: 'DROP' },
    { CLUSTER_IMPLEMENTATION: 'fork' },
    { INDEXES: 'all' },
    { PLAN_SCHEMA: 'tables' },
    { OBJECT_ID: 'uuid' },
    { JSON_STYLE: 'pretty' },
    { NUL: 'keep' },
  );
  add(
    usage,
    'OPTION_INVALID',
    /must be a share above 0% and up to 100%, such as 1%, not "/,
    ...['0%', '101%', '1', '5 %', '1e-3%'].map((value) => ['verify', `--sample=${value}`]),
  );
  add(
    usage,
    'OPTION_INVALID',
    /must be without NUL bytes/,
    '--mongo-collection=a\0b',
    '--postgres-schema=a\0b',
    '--plan=\0',
  );
  add(
    usage,
    'NAME_INVALID',
    /has \d+ bytes; Postgres keeps 63 — choose another name/,
    `--postgres-schema=${longName}`,
    { POSTGRES_SCHEMA: longName },
    { POSTGRES_SCHEMA: 'ä'.repeat(32) },
    ['plan', `--postgres-schema=${longName}`],
    ['verify', `--postgres-schema=${longName}`],
    ['retry', `--postgres-schema=${longName}`],
  );
  add(
    usage,
    'NAME_INVALID',
    /belongs to (PostgreSQL itself|the ledger) — choose another name/,
    { POSTGRES_SCHEMA: 'pg_mine' },
    { POSTGRES_SCHEMA: 'information_schema' },
    { POSTGRES_SCHEMA: 'mongo2pg' },
  );
  add(
    usage,
    'ONE_COLLECTION_ONLY',
    /is for one collection, .* — name one/,
    ['plan', '--mongo-collection=a,b'],
    ['seed', '--mongo-collection=*'],
    ['retry', '--mongo-collection=a*'],
    ['--mongo-collection=*', '--plan=plan.json'],
  );
}

function addUrlsInWrongPlaces(add: Add): void {
  const only = /must not be a URL — only MONGO_URL, POSTGRES_URL and CITUS_NODE_URL take URLs/;
  for (const url of secretUrls) {
    add(
      usage,
      'URL_MISPLACED',
      only,
      `--mongo-collection=${url}`,
      `--postgres-schema=${url}`,
      { PLAN: url },
      { REPORT: url },
      { POSTGRES_SCHEMA: url },
      ['plan', `--out=${url}`],
    );
  }
  add(
    usage,
    'URL_MISPLACED',
    only,
    { SOURCE: secretUrls[0], MONGO_URL: '' },
    { MONGO_DB: secretUrls[0] },
    { MONGO_COLLECTION: `users,${secretUrls[0]}` },
    { EXCLUDE_COLLECTIONS: secretUrls[0] },
    { METRICS_HOST: `http://user:${password}@host` },
    { DATA_DIR: secretUrls[1] },
  );
  add(
    usage,
    'OPTION_INVALID',
    /must be .*, not the value given/,
    `--cluster-size=${secretUrls[0]}`,
    `--if-exists=${secretUrls[0]}`,
    `--dry-run=${secretUrls[0]}`,
    `--nul=${secretUrls[2]}`,
    ['verify', `--sample=${secretUrls[1]}`],
  );
  add(usage, 'JSON_INVALID', /line 1, column 1: names and texts must be in double quotes/, {
    FILTER: secretUrls[0],
  });
}

function addUrls(add: Add, { postgresUrl, mongoUrl, folder }: Place): void {
  add(usage, 'URL_MISSING', /is set but .* is not — .*=embedded/, { MONGO_URL: '' }, { POSTGRES_URL: '' });
  add(usage, 'URL_MISSING', /is set but .* is not — .*=embedded/, {
    SOURCE: 'a.bson',
    MONGO_URL: '',
    POSTGRES_URL: '',
  });
  add(usage, 'TWO_SOURCES', /are both set — .* unset the other/, { SOURCE: 'a.bson' }, { SOURCE: folder });
  add(
    usage,
    'MONGO_URL_INVALID',
    /is not a MongoDB URL — it looks like mongodb:\/\/user:password@host:27017 .*percent-encoded/,
    ...[
      'localhost:27017',
      'mongodb//host',
      'http://host',
      'mongodb://',
      `mongodb://user:${password}`,
      `mongodb://user:${password}@`,
      `mongodb://user:a@${password}@host`,
      `mongodb://user:27/${password}@host/db`,
      `mongodb://user:${password}@host:port`,
      `mongodb://user:${password}@host name`,
      `mongodb+srv://user:${password}@host.example.org:27017`,
      `postgres://user:${password}@host/db`,
      'embeded',
    ].map((url) => ({ MONGO_URL: url })),
  );
  add(
    usage,
    'POSTGRES_URL_INVALID',
    /is not a PostgreSQL URL — it looks like postgres:\/\/user:password@host:5432\/database/,
    ...[
      'localhost/db',
      'host=localhost dbname=db',
      `mysql://user:${password}@host/db`,
      `postgres://user:${password}@host:99999/db`,
      `postgres://user:${password}@host:port/db`,
      `postgres://user:${password}@[host/db`,
      `postgres://user:27/${password}@host/db`,
      `mongodb://user:${password}@host/db`,
    ].map((url) => ({ POSTGRES_URL: url })),
    { CITUS_NODE_URL: `postgres://user:${password}@host:99999/db` },
    { CITUS_NODE_URL: 'embedded' },
  );
  add(
    usage,
    'POSTGRES_URL_INVALID',
    /names no database — it looks like/,
    { POSTGRES_URL: `postgres://user:${password}@host` },
    { POSTGRES_URL: `postgres://user:${password}@host/` },
    { CITUS_NODE_URL: `postgres://user:${password}@host` },
  );
  add(
    usage,
    'URL_FILE_UNREADABLE',
    /\/nowhere, which .*_URL names, cannot be read \(ENOENT\) — correct the path/,
    { MONGO_URL: `mongodb://user:${password}@host/?tls=true&tlsCAFile=/nowhere` },
    { MONGO_URL: `mongodb://user:${password}@host/?tls=true&tlsCertificateKeyFile=/nowhere` },
    { POSTGRES_URL: `postgres://user:${password}@host/db?sslrootcert=/nowhere` },
    { POSTGRES_URL: `postgres://user:${password}@host/db?sslkey=/nowhere` },
  );
  const withOptions = (text: string): Env => ({
    MONGO_URL: `mongodb://user:${password}@127.0.0.1:1/?${text}`,
  });
  add(
    usage,
    'MONGO_URL_OPTIONS',
    /^MONGO_URL has options that cannot be used: .* — correct the options after the \?/,
    ...[
      'nonsense=1',
      'tls=maybe',
      'tls=true&ssl=false',
      'readPreference=nearby',
      'maxPoolSize=-1',
      'maxPoolSize=many',
      'minPoolSize=5&maxPoolSize=2',
      'authMechanism=NONE',
      'authMechanism=MONGODB-X509',
      'authSource=',
      'compressors=lz4',
      'connectTimeoutMS=-5',
      'socketTimeoutMS=long',
      'retryReads=perhaps',
      'replicaSet=',
      'replicaSet=a&replicaSet=b',
      'loadBalanced=true&replicaSet=a',
      'readPreferenceTags=x',
      'srvMaxHosts=2',
      'tlsInsecure=true&tlsAllowInvalidCertificates=true',
    ].map(withOptions),
    { MONGO_URL: 'mongodb://127.0.0.1:0' },
    { MONGO_URL: 'mongodb://127.0.0.1:99999' },
    { MONGO_URL: `mongodb://user:${password}@a,b/?directConnection=true` },
  );
  // Long enough for a refusal on a busy machine.
  const soon = 'serverSelectionTimeoutMS=500';
  add(
    source,
    'MONGO_NOT_REACHED',
    /no MongoDB answers at 127\.0\.0\.1:1 — start the server, or correct host and port/,
    withOptions(soon),
    {
      MONGO_URL: `mongodb://user:${password}@127.0.0.1:1/db?${soon}&tlsCertificateKeyFilePassword=${password}`,
    },
  );
  add(source, 'MONGO_HOST_UNKNOWN', /cannot be resolved — correct the host in MONGO_URL/, {
    MONGO_URL: `mongodb://user:${password}@no-such-host.invalid/?${soon}`,
  });
  add(source, 'MONGO_PASSWORD', /refused user or password — correct them in MONGO_URL/, {
    MONGO_URL: withMongoUser(mongoUrl, 'user', password),
  });
  add(
    target,
    'POSTGRES_NOT_REACHED',
    /no PostgreSQL answers at .* — start the server, or correct host and port/,
    { POSTGRES_URL: `postgres://user:${password}@127.0.0.1:1/db` },
    { POSTGRES_URL: `postgres://user:${password}@127.0.0.1:1/db?sslpassword=${password}` },
  );
  add(
    target,
    'POSTGRES_HOST_UNKNOWN',
    /host of POSTGRES_URL \(no-such-host\.invalid:5432\/db\) cannot be resolved — correct the host/,
    {
      POSTGRES_URL: `postgres://user:${password}@no-such-host.invalid/db`,
    },
  );
  const change = (what: (url: URL) => void): Env => {
    const url = new URL(postgresUrl);
    what(url);
    return { POSTGRES_URL: url.href };
  };
  add(
    target,
    'POSTGRES_PASSWORD',
    /refused the password of user "postgres" — correct user and password in POSTGRES_URL/,
    change((url) => (url.password = password)),
  );
  add(
    target,
    'POSTGRES_DATABASE_MISSING',
    /has no database "nowhere" — create it \(createdb nowhere\)/,
    change((url) => (url.pathname = 'nowhere')),
  );
}

function addFilters(add: Add, { folder }: Place): void {
  const dump = { SOURCE: `${folder}/few.bson`, MONGO_URL: '' };
  add(
    usage,
    'JSON_INVALID',
    /FILTER is not JSON: line 1, column \d+: /,
    ...['{age: 30}', '{', "{'a': 1}", '{"a": 1,}', 'age > 30', '{"a": NaN}'].map((filter) => ({
      FILTER: filter,
    })),
  );
  add(
    usage,
    'JSON_INVALID',
    /is nested more than 200 levels deep: line 1, column \d+/,
    { FILTER: '['.repeat(100_000) },
    { FILTER: `${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}` },
  );
  add(
    usage,
    'FILTER_INVALID',
    /FILTER (must be an object of fields and what they must match|is not Extended JSON: .*) — for example \{"age"/,
    ...[
      '[]',
      '30',
      '"a"',
      'null',
      '[{"a": 1}]',
      '{"$oid": "65f0a1b2c3d4e5f6a7b8c9d0"}',
      '{"a": {"$oid": "65"}}',
    ].map((filter) => ({ FILTER: filter })),
  );
  add(
    usage,
    'FILTER_REFUSED',
    /MongoDB refuses the filter: .* — correct FILTER/,
    ...[
      '{"a": {"$gtee": 1}}',
      '{"$or": []}',
      '{"a": {"$in": 1}}',
      '{"$text": {"$search": "x"}}',
      '{"$near": 1}',
    ].map((filter) => ({ FILTER: filter })),
  );
  add(
    usage,
    'FILTER_NOT_FOR_DUMPS',
    /FILTER cannot be applied to a dump: .* — docs\/dumps\.md lists the operators that can/,
    ...[
      '{"a": {"$elemMatch": {"b": 1}}}',
      '{"$where": "true"}',
      '{"$text": {"$search": "x"}}',
      '{"a": {"$near": [1, 2]}}',
      '{"a": {"$gtee": 1}}',
    ].map((filter) => ({ ...dump, FILTER: filter })),
  );
  add(
    source,
    'FILTER_MATCHES_NOTHING',
    /no document of .* matches the filter — correct FILTER/,
    { FILTER: '{"a": "nothing"}' },
    { ...dump, FILTER: '{"a": "nothing"}' },
  );
}

function addPlans(add: Add, { folder }: Place): void {
  const plan = (name: string): Env => ({ PLAN: `${folder}/${name}` });
  add(
    usage,
    'PLAN_UNREADABLE',
    /cannot be read \(\w+\) — correct PLAN, or write a plan/,
    plan('missing.json'),
    plan(''),
  );
  add(
    usage,
    'JSON_INVALID',
    /the plan .* is (not JSON: line \d+, column \d+|nested more than 200 levels deep)/,
    ...['plan-empty.json', 'plan-text.json', 'plan-brackets.json', 'plan-deep.json', 'few.bson'].map(plan),
  );
  for (const [name, { source }] of Object.entries(planMistakes)) {
    const says = new RegExp(
      `the plan .*is not valid: ${source}.* — (correct it; docs/plan\\.md|give the child table another name)`,
    );
    add(usage, 'PLAN_INVALID', says, plan(`plan-${name}.json`));
  }
}

/** PostgreSQL checks their content: test/integration/copy/scripts.test.ts. */
function addScripts(add: Add, { folder }: Place): void {
  for (const name of ['BEFORE_SQL', 'AFTER_SQL']) {
    add(
      usage,
      'SCRIPT_UNREADABLE',
      new RegExp(`cannot be read \\((ENOENT|EISDIR)\\) — .*${name}`),
      { [name]: `${folder}/missing.sql` },
      { [name]: folder },
    );
    add(usage, 'SCRIPT_UNREADABLE', new RegExp(`is not text in UTF-8 — .*${name}`), {
      [name]: `${folder}/few.bson`,
    });
  }
  add(
    usage,
    'URL_MISPLACED',
    /must not be a URL — only MONGO_URL, POSTGRES_URL and CITUS_NODE_URL take URLs/,
    { BEFORE_SQL: secretUrls[1] },
    { TRANSFORM: secretUrls[0] },
  );
}

function addDumps(add: Add, { folder }: Place): void {
  const dump = (name: string, more: Env = {}): Env => ({
    SOURCE: `${folder}/${name}`,
    MONGO_URL: '',
    ...more,
  });
  add(
    source,
    'DUMP_UNREADABLE',
    /the dump .* — (correct SOURCE|save the dump as a file: a pipe cannot be read again)/,
    dump('missing.bson'),
    {
      SOURCE: '/dev/null',
      MONGO_URL: '',
    },
  );
  add(source, 'DUMP_WITHOUT_COLLECTIONS', /has no collections — correct SOURCE/, dump('empty'));
  add(
    source,
    'DUMP_FORMAT_UNKNOWN',
    /is not a mongodump archive.* — use the suffix \.bson for BSON and \.json for JSON/,
    dump('notes'),
  );
  add(
    source,
    'DUMP_GZIP_UNNAMED',
    /is gzip, but its name does not end in .gz — rename it so that its name ends in \.gz/,
    dump('zipped.json'),
  );
  add(source, 'DUMP_CUT_OFF', /is cut off at byte \d+.* — .*from scratch/, dump('cut.bson'));
  add(
    source,
    'DUMP_CORRUPT',
    /— .*from scratch/,
    dump('corrupt.bson'),
    dump('wrong.json'),
    dump('latin1.json'),
  );
  add(
    source,
    'DUMP_METADATA',
    /is not the metadata of a collection: .* — correct it, or move it away/,
    dump('described.bson'),
  );
  add(
    source,
    'COLLECTION_EMPTY',
    /has no documents of .* — correct SOURCE and MONGO_COLLECTION/,
    dump('none.bson'),
  );
  add(
    source,
    'ID_MISSING',
    /has no _id .* — only documents with an _id can be copied/,
    dump('anonymous.json'),
  );
  add(
    source,
    'COLLECTION_MISSING',
    /no collection .* — .*: few/,
    dump('school', { MONGO_COLLECTION: 'many' }),
  );
  add(
    source,
    'COLLECTION_NOT_COPYABLE',
    /cannot be copied: it is a collection whose name has U\+0000/,
    dump('a%00b.bson'),
  );
  add(
    source,
    'NO_COLLECTION_CHOSEN',
    /no collection can be copied .* — /,
    dump('school', { MONGO_COLLECTION: 'x*' }),
  );
  add(
    source,
    'NO_COLLECTION_CHOSEN',
    /no collection can be copied .* — /,
    dump('school', { EXCLUDE_COLLECTIONS: '*' }),
  );
  add(
    source,
    'DATABASE_MISSING',
    /has no database shop — set MONGO_DB to one of/,
    dump('dumps', { MONGO_DB: 'shop' }),
  );
}

function addOutputs(add: Add, { folder, takenPort }: Place): void {
  add(usage, 'FILE_EXISTS', /already exists — choose another --out, or overwrite it with --force/, [
    'plan',
    `--out=${folder}/few.bson`,
  ]);
  add(usage, 'PLAN_NOT_WRITTEN', /cannot be written \(ENOENT\) — choose another --out/, [
    'plan',
    `--out=${folder}/no/plan.json`,
  ]);
  add(usage, 'REPORT_NOT_WRITTEN', /a report cannot be written to .* — choose another --report/, {
    REPORT: `${folder}/no/r.html`,
  });
  add(
    usage,
    'FILE_EXISTS',
    /exists and is not a report — choose another --report/,
    { REPORT: `${folder}/few.bson` },
    { REPORT: folder },
  );
  add(
    usage,
    'METRICS_NOT_SERVED',
    /metrics cannot be served at .* — choose another METRICS_PORT/,
    { METRICS_PORT: String(takenPort) },
    { METRICS_PORT: '0', METRICS_HOST: '192.0.2.1' },
    { METRICS_PORT: '0', METRICS_HOST: 'no-such-host.invalid' },
  );
}

function addServers(add: Add, { folder }: Place): void {
  add(source, 'COLLECTION_MISSING', /no collection .* — set MONGO_COLLECTION to one of: .*users/, {
    MONGO_COLLECTION: 'user',
  });
  add(source, 'COLLECTION_MISSING', /no collection .* — .* correct MONGO_DB/, {
    MONGO_DB: 'mongo2pg_nowhere',
  });
  add(source, 'COLLECTION_MISSING', /no collection user — correct MONGO_COLLECTION; there are: /, {
    MONGO_COLLECTION: 'users,user',
  });
  add(source, 'COLLECTION_EMPTY', /is empty — correct MONGO_DB and MONGO_COLLECTION/, {
    MONGO_COLLECTION: 'nobody',
  });
  add(
    source,
    'NO_COLLECTION_CHOSEN',
    /no collection can be copied .* — /,
    { MONGO_COLLECTION: 'x*' },
    { MONGO_COLLECTION: ',' },
  );
  add(source, 'COLLECTION_HAS_DOCUMENTS', /already has documents — .*--if-exists drop/, [
    'seed',
    '--amount-users-seed=1',
  ]);
  add(target, 'TABLE_HAS_ROWS', /already exists and has rows — .*--if-exists drop/, {}, { DRY_RUN: 'yes' });
  add(target, 'TABLE_DOES_NOT_FIT', /does not fit the collection: .* — .*in a plan what goes where/, {
    IF_EXISTS: 'append',
  });
  add(target, 'NOT_A_TABLE', /cannot be dropped: it is not an ordinary table — drop it by hand/, {
    MONGO_COLLECTION: 'seen',
    IF_EXISTS: 'drop',
  });
  add(target, 'ID_HAS_NO_COLUMN', /the plan drops _id.* — create the table first/, {
    MONGO_COLLECTION: 'others',
    PLAN: `${folder}/plan_without_id.json`,
  });
  add(usage, 'RUN_UNKNOWN', /the ledger has no run .* — set MONGO_/, ['verify'], ['retry']);
}
