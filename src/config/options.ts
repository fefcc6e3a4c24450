/** The table of settings: the one place that names each option, its variable, its default and its sentence. */

import { jsonStyles } from '../bson/json/json-style.ts';
import { layouts, objectIdStyles } from './plan-choices.ts';
import { nulPolicies } from '../bson/nul-policy.ts';

export const clusterImplementations = ['cluster', 'threads', 'inline'] as const;
export const ifExistsChoices = ['fail', 'drop', 'truncate', 'append'] as const;
export const indexChoices = ['carry', 'none'] as const;

export type CommandName =
  'start' | 'plan' | 'verify' | 'status' | 'seed' | 'retry' | 'servers' | 'cutover' | 'repair';

export interface Option {
  readonly env: string;
  /** `schema`: a name that one in Postgres can have. `switch`: on or off. */
  readonly kind: 'text' | 'schema' | 'json' | 'url' | 'count' | 'share' | 'choice' | 'switch';
  /** As written in `.env.example` and `--help`; empty means not set. */
  readonly default: string;
  readonly describe: string;
  /** Where it is not the variable's name. */
  readonly flag?: string;
  readonly commands: readonly CommandName[];
  readonly choices?: readonly string[];
  /** Whole numbers only, both ends included. */
  readonly range?: readonly [min: number, max: number];
}

const startOnly = ['start'] as const;
const startAndSeed = ['start', 'seed'] as const;
const startAndVerify = ['start', 'verify'] as const;
const startAndPlan = ['start', 'plan'] as const;
const allThatRead = ['start', 'plan', 'verify', 'seed'] as const;
const all = ['start', 'plan', 'verify', 'status', 'seed', 'retry', 'servers'] as const;

/** In the order in which they are shown. The flag of `MONGO_URL` is `--mongo-url`, and so on. */
export const options = {
  mongoUrl: {
    env: 'MONGO_URL',
    kind: 'url',
    default: '',
    describe: 'Where to read: mongodb://… or mongodb+srv://…; `embedded` asks for the embedded trial server.',
    commands: allThatRead,
  },
  source: {
    env: 'SOURCE',
    kind: 'text',
    default: '',
    describe:
      'A dump to read in place of MONGO_URL: a .bson file, a folder or an archive of mongodump, or JSON of mongoexport; each of them may be gzip.',
    commands: ['start', 'plan', 'verify', 'retry'],
  },
  mongoDb: {
    env: 'MONGO_DB',
    kind: 'text',
    default: 'school',
    describe: 'Database to read; without it, the one in MONGO_URL or in the dump counts before the default.',
    commands: allThatRead,
  },
  mongoCollection: {
    env: 'MONGO_COLLECTION',
    kind: 'text',
    default: 'users',
    describe:
      'Collection to read; the table takes its name. Several by names and patterns: `users,courses`, `log_*`, or `*` for all, which is the default for a dump.',
    commands: ['start', 'plan', 'verify', 'seed', 'retry'],
  },
  excludeCollections: {
    env: 'EXCLUDE_COLLECTIONS',
    kind: 'text',
    default: '',
    describe: 'Names and patterns of collections to leave out, when several are copied.',
    commands: startAndVerify,
  },
  postgresUrl: {
    env: 'POSTGRES_URL',
    kind: 'url',
    default: '',
    describe: 'Where to write: postgres://…; `embedded` asks for the embedded trial server.',
    commands: ['start', 'verify', 'status', 'retry'],
  },
  postgresSchema: {
    env: 'POSTGRES_SCHEMA',
    kind: 'schema',
    default: 'public',
    describe: 'Schema of the table; created when missing.',
    commands: ['start', 'plan', 'verify', 'retry'],
  },
  ifExists: {
    env: 'IF_EXISTS',
    kind: 'choice',
    choices: ifExistsChoices,
    default: 'fail',
    describe:
      'What to do with data that is already there (the table, for `seed` the collection): fail, drop, truncate or append.',
    commands: startAndSeed,
  },
  restart: {
    env: 'RESTART',
    kind: 'switch',
    default: '',
    describe: 'Begin anew: give up what an earlier run of the same table has committed, finished or not.',
    commands: startOnly,
  },
  clusterImplementation: {
    env: 'CLUSTER_IMPLEMENTATION',
    kind: 'choice',
    choices: clusterImplementations,
    default: 'cluster',
    describe:
      'How workers run: cluster (processes), threads (of one process), or inline (connections of the primary itself).',
    commands: startAndVerify,
  },
  clusterSizeMultiplier: {
    env: 'CLUSTER_SIZE_MULTIPLIER',
    kind: 'count',
    range: [1, 100],
    default: '3',
    describe: 'Workers per core, when CLUSTER_SIZE is not set.',
    commands: startAndVerify,
  },
  clusterSize: {
    env: 'CLUSTER_SIZE',
    kind: 'count',
    range: [1, 1000],
    default: '',
    describe:
      'Workers, each with a connection to Postgres (default: cores × CLUSTER_SIZE_MULTIPLIER); capped by the connections that Postgres has left.',
    commands: startAndVerify,
  },
  itemsPerPage: {
    env: 'ITEMS_PER_PAGE',
    kind: 'count',
    // The upper end keeps a page's bookkeeping in 32-bit integers; MongoDB cuts a reply at 16 MB anyway.
    range: [1, 1_000_000],
    default: '20000',
    describe:
      'Documents per batch, at most (a page read, a COPY, a transaction); fewer where 4 MB are fewer.',
    commands: startAndVerify,
  },
  readRanges: {
    env: 'READ_RANGES',
    kind: 'count',
    range: [1, 64],
    default: '4',
    describe:
      'Ranges of _id that are read at the same time, each with a page of up to 16 MB in memory; fewer where the collection is small or cannot be sampled.',
    commands: startAndVerify,
  },
  maxInFlightMb: {
    env: 'MAX_IN_FLIGHT_MB',
    kind: 'count',
    range: [1, 65_536],
    default: '64',
    describe: 'Megabytes read and not yet committed, at most; one batch always goes.',
    commands: startAndVerify,
  },
  follow: {
    env: 'FOLLOW',
    kind: 'switch',
    default: '',
    describe:
      'Keep the tables in step with what is written to the collections, during the copy and after it, until the cut-over.',
    commands: startOnly,
  },
  dryRun: {
    env: 'DRY_RUN',
    flag: 'dry-run',
    kind: 'switch',
    default: '',
    describe: 'Look at both sides and say what a start would do, without writing anything to either.',
    commands: startOnly,
  },
  verify: {
    env: 'VERIFY',
    kind: 'switch',
    default: '',
    describe: 'Compare every document with its row once all is copied, as the command `verify` does.',
    commands: startOnly,
  },
  sample: {
    env: 'VERIFY_SAMPLE',
    flag: 'sample',
    kind: 'share',
    default: '100%',
    describe: 'How much `verify` compares: a share such as 1%, in random pages. All is read and counted.',
    commands: ['start', 'verify'],
  },
  maxDeadLetters: {
    env: 'MAX_DEAD_LETTERS',
    kind: 'count',
    range: [0, Number.MAX_SAFE_INTEGER],
    default: '',
    describe: 'Stop the run once more documents than this have become dead letters (default: never).',
    commands: startOnly,
  },
  retrySeconds: {
    env: 'RETRY_SECONDS',
    kind: 'count',
    range: [0, 86_400],
    default: '60',
    describe: 'How long to keep trying when a server goes away in the middle of a run, before the run stops.',
    commands: ['start', 'verify', 'status', 'retry'],
  },
  answerTimeoutSeconds: {
    env: 'ANSWER_TIMEOUT_SECONDS',
    kind: 'count',
    range: [1, 86_400],
    default: '120',
    describe: 'How long a server may be silent over one batch or page before its connection is made anew.',
    commands: ['start', 'verify', 'status'],
  },
  workerTimeoutSeconds: {
    env: 'WORKER_TIMEOUT_SECONDS',
    kind: 'count',
    range: [2, 86_400],
    default: '60',
    describe: 'How long a worker may give no sign of life before it is killed and replaced.',
    commands: startAndVerify,
  },
  sampleSize: {
    env: 'SAMPLE_SIZE',
    kind: 'count',
    range: [1, 1_000_000],
    default: '10000',
    describe: 'Documents looked at to infer the columns and their types.',
    commands: startAndPlan,
  },
  filter: {
    env: 'FILTER',
    kind: 'json',
    default: '',
    describe: 'Which documents are read: a MongoDB filter in Extended JSON; all when not set.',
    commands: startAndPlan,
  },
  plan: {
    env: 'PLAN',
    kind: 'text',
    default: '',
    describe: 'Plan file that says which field goes to which column; without one, this is inferred.',
    commands: startOnly,
  },
  schema: {
    env: 'PLAN_SCHEMA',
    flag: 'schema',
    kind: 'choice',
    choices: layouts,
    default: 'columns',
    describe:
      'What is inferred: columns (one for each field), or document (_id, and the whole document as jsonb).',
    commands: startAndPlan,
  },
  objectId: {
    env: 'OBJECT_ID',
    kind: 'choice',
    choices: objectIdStyles,
    default: 'text',
    describe: 'What an ObjectId becomes when columns are inferred: text (24 hex digits) or bytea (12 bytes).',
    commands: startAndPlan,
  },
  requiredNotNull: {
    env: 'REQUIRED_NOT_NULL',
    flag: 'required-not-null',
    kind: 'switch',
    default: '',
    describe:
      "Infer NOT NULL for the fields that the collection's validator requires; a document without a value becomes a dead letter.",
    commands: startAndPlan,
  },
  jsonStyle: {
    env: 'JSON_STYLE',
    kind: 'choice',
    choices: jsonStyles,
    default: 'relaxed',
    describe:
      'How jsonb is written: relaxed or canonical Extended JSON, or plain (dates and ids as text; types are lost).',
    commands: startAndPlan,
  },
  nul: {
    env: 'NUL',
    kind: 'choice',
    choices: nulPolicies,
    default: 'reject',
    describe:
      'What becomes of U+0000 in a text, which Postgres cannot store: reject (the document becomes a dead letter), strip or replace (by U+FFFD).',
    commands: startAndPlan,
  },
  out: {
    env: 'PLAN_OUT',
    flag: 'out',
    kind: 'text',
    default: '',
    describe: 'File that `plan` writes; standard output when not set.',
    commands: ['plan'],
  },
  force: {
    env: 'PLAN_FORCE',
    flag: 'force',
    kind: 'switch',
    default: '',
    describe: 'Let `plan` overwrite a file that is there.',
    commands: ['plan'],
  },
  report: {
    env: 'REPORT',
    kind: 'text',
    default: '',
    describe:
      'File for a report of the run: one HTML page with the summary, and with speed, memory and workers over time.',
    commands: startOnly,
  },
  metricsPort: {
    env: 'METRICS_PORT',
    kind: 'count',
    range: [0, 65_535],
    default: '',
    describe:
      'Show the run to a browser on this port, with Prometheus metrics at /metrics, and /healthz; 0 takes a free one.',
    commands: startAndVerify,
  },
  metricsHost: {
    env: 'METRICS_HOST',
    kind: 'text',
    default: '127.0.0.1',
    describe: 'Address on which page and metrics are served; not beyond this machine unless you say so.',
    commands: startAndVerify,
  },
  indexes: {
    env: 'INDEXES',
    kind: 'choice',
    choices: indexChoices,
    default: 'carry',
    describe:
      "What becomes of the collection's indexes after the load: carry (built where Postgres has the like), none.",
    commands: startOnly,
  },
  indexJobs: {
    env: 'INDEX_JOBS',
    kind: 'count',
    range: [1, 64],
    default: '2',
    describe: 'Indexes built at a time, each on a connection of its own and in 256 MB of memory of Postgres.',
    commands: startOnly,
  },
  watch: {
    env: 'STATUS_WATCH',
    flag: 'watch',
    kind: 'switch',
    default: '',
    describe: 'Show the status again every two seconds, until nothing runs any more.',
    commands: ['status'],
  },
  all: {
    env: 'STATUS_ALL',
    flag: 'all',
    kind: 'switch',
    default: '',
    describe: 'Show runs, too, whose rows were given up for those of a later one.',
    commands: ['status'],
  },
  amountUsers: {
    env: 'AMOUNT_USERS',
    kind: 'count',
    range: [0, Number.MAX_SAFE_INTEGER],
    default: '',
    describe:
      "Documents expected: the progress bar's total, and a warning at the end when the count differs.",
    commands: startOnly,
  },
  amountUsersSeed: {
    env: 'AMOUNT_USERS_SEED',
    kind: 'count',
    range: [1, 1_000_000_000],
    default: '100000',
    describe: 'Users that `seed` (or a first start on the embedded source) makes.',
    commands: allThatRead,
  },
  live: {
    env: 'LIVE',
    kind: 'count',
    range: [1, 604_800],
    default: '',
    describe:
      'Let `seed` insert, change and delete users for so many seconds, in place of filling the collection.',
    commands: ['seed'],
  },
  rate: {
    env: 'RATE',
    kind: 'count',
    range: [1, 100_000],
    default: '100',
    describe:
      'Changes a second that `seed` makes with LIVE: of ten, two inserts, six updates and two deletions.',
    commands: ['seed'],
  },
  dataDir: {
    env: 'DATA_DIR',
    kind: 'text',
    default: '.data',
    describe: 'Folder in which the embedded servers keep their data.',
    commands: all,
  },
  json: {
    env: 'JSON_LINES',
    kind: 'switch',
    default: '',
    describe: 'Print progress and summary as JSON lines on standard output.',
    commands: ['start', 'verify', 'status', 'seed', 'retry'],
  },
} as const satisfies Record<string, Option>;

export type OptionName = keyof typeof options;

export const optionNames = Object.keys(options) as OptionName[];

/** `MONGO_URL` → `mongo-url`; a switch's flag is its key (`--json`). */
export function flagOf(name: OptionName): string {
  const option: Option = options[name];
  if (option.flag !== undefined) return option.flag;
  return option.kind === 'switch' ? name : option.env.toLowerCase().replaceAll('_', '-');
}
