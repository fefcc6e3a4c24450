/**
 * The table of settings, and the one place that says anything about one: its key is the name in `Config`, in the library
 * and in the code; from its entry follow the variable, the flag, the type, `--help`, `.env.example` and the README's table.
 */

import { jsonStyles } from '../bson/json/json-style.ts';
import { layouts, objectIdStyles } from './plan-choices.ts';
import { nulPolicies } from '../bson/nul-policy.ts';
import type { Kind, Rules } from './kinds.ts';

export const clusterImplementations = ['cluster', 'threads', 'inline'] as const;
export const ifExistsChoices = ['fail', 'drop', 'truncate', 'append'] as const;
export const indexChoices = ['carry', 'none'] as const;

export type CommandName = 'start' | 'plan' | 'verify' | 'status' | 'seed' | 'retry' | 'servers';

/** The groups of `--help`. */
export type OptionGroup =
  'Source' | 'Target' | 'Plan' | 'Workers' | 'Limits' | 'Proof' | 'Output' | 'Trial servers';

export interface Option extends Rules {
  readonly env: string;
  /** How its text is read, and what type it has in `Config`. */
  readonly kind: Kind;
  /** The text that holds where nobody gives another; empty means not set. */
  readonly default: string;
  /** What `.env.example` and `--help` show as its default, where that is not `default`. */
  readonly shown?: string;
  readonly describe: string;
  /** Where it is not the variable's name. */
  readonly flag?: string;
  readonly commands: readonly CommandName[];
  readonly group: OptionGroup;
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
    kind: 'mongo-url',
    default: '',
    describe: 'Where to read: mongodb://… or mongodb+srv://…; `embedded` asks for the embedded trial server.',
    commands: allThatRead,
    group: 'Source',
  },
  source: {
    env: 'SOURCE',
    kind: 'path',
    default: '',
    describe:
      'A dump to read in place of MONGO_URL: a .bson file, a folder or an archive of mongodump, or JSON of mongoexport; each of them may be gzip.',
    commands: ['start', 'plan', 'verify', 'retry'],
    group: 'Source',
  },
  mongoDb: {
    env: 'MONGO_DB',
    kind: 'text',
    default: 'school',
    describe: 'Database to read; without it, the one in MONGO_URL or in the dump counts before the default.',
    commands: allThatRead,
    group: 'Source',
  },
  mongoCollection: {
    env: 'MONGO_COLLECTION',
    kind: 'text',
    default: 'users',
    describe:
      'Collection to read; the table takes its name. Several by names and patterns: `users,courses`, `log_*`, or `*` for all, which is the default for a dump.',
    commands: ['start', 'plan', 'verify', 'seed', 'retry'],
    group: 'Source',
  },
  excludeCollections: {
    env: 'EXCLUDE_COLLECTIONS',
    kind: 'text',
    default: '',
    describe: 'Names and patterns of collections to leave out, when several are copied.',
    commands: startAndVerify,
    group: 'Source',
  },
  postgresUrl: {
    env: 'POSTGRES_URL',
    kind: 'postgres-url',
    default: '',
    describe: 'Where to write: postgres://…; `embedded` asks for the embedded trial server.',
    commands: ['start', 'verify', 'status', 'retry'],
    group: 'Target',
  },
  postgresSchema: {
    env: 'POSTGRES_SCHEMA',
    kind: 'schema',
    default: 'public',
    describe: 'Schema of the table; created when missing.',
    commands: ['start', 'plan', 'verify', 'retry'],
    group: 'Target',
  },
  ifExists: {
    env: 'IF_EXISTS',
    kind: 'choice',
    choices: ifExistsChoices,
    default: '',
    // What the commands take by themselves: `seed` replaces the users of an earlier one on the trial server.
    shown: 'fail',
    describe:
      'What to do with data that is already there (the table, for `seed` the collection): fail, drop, truncate or append.',
    commands: startAndSeed,
    group: 'Target',
  },
  restart: {
    env: 'RESTART',
    kind: 'switch',
    default: '',
    describe: 'Begin anew: give up what an earlier run of the same table has committed, finished or not.',
    commands: startOnly,
    group: 'Target',
  },
  clusterImplementation: {
    env: 'CLUSTER_IMPLEMENTATION',
    kind: 'choice',
    choices: clusterImplementations,
    default: 'cluster',
    describe:
      'How workers run: cluster (processes), threads (of one process), or inline (connections of the primary itself).',
    commands: startAndVerify,
    group: 'Workers',
  },
  clusterSizeMultiplier: {
    env: 'CLUSTER_SIZE_MULTIPLIER',
    kind: 'count',
    range: [1, 100],
    default: '3',
    describe: 'Workers per core, when CLUSTER_SIZE is not set.',
    commands: startAndVerify,
    group: 'Workers',
  },
  clusterSize: {
    env: 'CLUSTER_SIZE',
    kind: 'count',
    range: [1, 1000],
    default: '',
    describe:
      'Workers, each with a connection to Postgres (default: cores × CLUSTER_SIZE_MULTIPLIER); capped by the connections that Postgres has left.',
    commands: startAndVerify,
    group: 'Workers',
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
    group: 'Workers',
  },
  readRanges: {
    env: 'READ_RANGES',
    kind: 'count',
    range: [1, 64],
    default: '4',
    describe:
      'Ranges of _id that are read at the same time, each with a page of up to 16 MB in memory; fewer where the collection is small or cannot be sampled.',
    commands: startAndVerify,
    group: 'Source',
  },
  maxInFlightMb: {
    env: 'MAX_IN_FLIGHT_MB',
    kind: 'count',
    range: [1, 65_536],
    default: '64',
    describe: 'Megabytes read and not yet committed, at most; one batch always goes.',
    commands: startAndVerify,
    group: 'Workers',
  },
  dryRun: {
    env: 'DRY_RUN',
    flag: 'dry-run',
    kind: 'switch',
    default: '',
    describe: 'Look at both sides and say what a start would do, without writing anything to either.',
    commands: startOnly,
    group: 'Proof',
  },
  verify: {
    env: 'VERIFY',
    kind: 'switch',
    default: '',
    describe: 'Compare every document with its row once all is copied, as the command `verify` does.',
    commands: startOnly,
    group: 'Proof',
  },
  sample: {
    env: 'VERIFY_SAMPLE',
    flag: 'sample',
    kind: 'share',
    default: '100%',
    describe: 'How much `verify` compares: a share such as 1%, in random pages. All is read and counted.',
    commands: ['start', 'verify'],
    group: 'Proof',
  },
  maxDeadLetters: {
    env: 'MAX_DEAD_LETTERS',
    kind: 'count',
    range: [0, Number.MAX_SAFE_INTEGER],
    default: '',
    describe: 'Stop the run once more documents than this have become dead letters (default: never).',
    commands: startOnly,
    group: 'Limits',
  },
  retrySeconds: {
    env: 'RETRY_SECONDS',
    kind: 'count',
    range: [0, 86_400],
    default: '60',
    describe: 'How long to keep trying when a server goes away in the middle of a run, before the run stops.',
    commands: ['start', 'verify', 'status', 'retry'],
    group: 'Limits',
  },
  answerTimeoutSeconds: {
    env: 'ANSWER_TIMEOUT_SECONDS',
    kind: 'count',
    range: [1, 86_400],
    default: '120',
    describe: 'How long a server may be silent over one batch or page before its connection is made anew.',
    commands: ['start', 'verify', 'status'],
    group: 'Limits',
  },
  workerTimeoutSeconds: {
    env: 'WORKER_TIMEOUT_SECONDS',
    kind: 'count',
    range: [2, 86_400],
    default: '60',
    describe: 'How long a worker may give no sign of life before it is killed and replaced.',
    commands: startAndVerify,
    group: 'Limits',
  },
  sampleSize: {
    env: 'SAMPLE_SIZE',
    kind: 'count',
    range: [1, 1_000_000],
    default: '10000',
    describe: 'Documents looked at to infer the columns and their types.',
    commands: startAndPlan,
    group: 'Plan',
  },
  filter: {
    env: 'FILTER',
    kind: 'filter',
    default: '',
    describe: 'Which documents are read: a MongoDB filter in Extended JSON; all when not set.',
    commands: startAndPlan,
    group: 'Source',
  },
  plan: {
    env: 'PLAN',
    kind: 'path',
    default: '',
    describe: 'Plan file that says which field goes to which column; without one, this is inferred.',
    commands: startOnly,
    group: 'Plan',
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
    group: 'Plan',
  },
  objectId: {
    env: 'OBJECT_ID',
    kind: 'choice',
    choices: objectIdStyles,
    default: 'text',
    describe: 'What an ObjectId becomes when columns are inferred: text (24 hex digits) or bytea (12 bytes).',
    commands: startAndPlan,
    group: 'Plan',
  },
  requiredNotNull: {
    env: 'REQUIRED_NOT_NULL',
    flag: 'required-not-null',
    kind: 'switch',
    default: '',
    describe:
      "Infer NOT NULL for the fields that the collection's validator requires; a document without a value becomes a dead letter.",
    commands: startAndPlan,
    group: 'Plan',
  },
  jsonStyle: {
    env: 'JSON_STYLE',
    kind: 'choice',
    choices: jsonStyles,
    default: 'relaxed',
    describe:
      'How jsonb is written: relaxed or canonical Extended JSON, or plain (dates and ids as text; types are lost).',
    commands: startAndPlan,
    group: 'Plan',
  },
  nul: {
    env: 'NUL',
    kind: 'choice',
    choices: nulPolicies,
    default: 'reject',
    describe:
      'What becomes of U+0000 in a text, which Postgres cannot store: reject (the document becomes a dead letter), strip or replace (by U+FFFD).',
    commands: startAndPlan,
    group: 'Plan',
  },
  out: {
    env: 'PLAN_OUT',
    flag: 'out',
    kind: 'path',
    default: '',
    describe: 'File that `plan` writes; standard output when not set.',
    commands: ['plan'],
    group: 'Plan',
  },
  force: {
    env: 'PLAN_FORCE',
    flag: 'force',
    kind: 'switch',
    default: '',
    describe: 'Let `plan` overwrite a file that is there.',
    commands: ['plan'],
    group: 'Plan',
  },
  report: {
    env: 'REPORT',
    kind: 'path',
    default: '',
    describe:
      'File for a report of the run: one HTML page with the summary, and with speed, memory and workers over time.',
    commands: startOnly,
    group: 'Output',
  },
  metricsPort: {
    env: 'METRICS_PORT',
    kind: 'count',
    range: [0, 65_535],
    default: '',
    describe: 'Serve Prometheus metrics at /metrics, and /healthz, on this port; 0 takes a free one.',
    commands: startAndVerify,
    group: 'Output',
  },
  metricsHost: {
    env: 'METRICS_HOST',
    kind: 'text',
    default: '127.0.0.1',
    describe: 'Address on which metrics are served; not beyond this machine unless you say so.',
    commands: startAndVerify,
    group: 'Output',
  },
  indexes: {
    env: 'INDEXES',
    kind: 'choice',
    choices: indexChoices,
    default: 'carry',
    describe:
      "What becomes of the collection's indexes after the load: carry (built where Postgres has the like), none.",
    commands: startOnly,
    group: 'Target',
  },
  indexJobs: {
    env: 'INDEX_JOBS',
    kind: 'count',
    range: [1, 64],
    default: '2',
    describe: 'Indexes built at a time, each on a connection of its own and in 256 MB of memory of Postgres.',
    commands: startOnly,
    group: 'Target',
  },
  watch: {
    env: 'STATUS_WATCH',
    flag: 'watch',
    kind: 'switch',
    default: '',
    describe: 'Show the status again every two seconds, until nothing runs any more.',
    commands: ['status'],
    group: 'Output',
  },
  all: {
    env: 'STATUS_ALL',
    flag: 'all',
    kind: 'switch',
    default: '',
    describe: 'Show runs, too, whose rows were given up for those of a later one.',
    commands: ['status'],
    group: 'Output',
  },
  amountUsers: {
    env: 'AMOUNT_USERS',
    kind: 'count',
    range: [0, Number.MAX_SAFE_INTEGER],
    default: '',
    describe:
      "Documents expected: the progress bar's total, and a warning at the end when the count differs.",
    commands: startOnly,
    group: 'Output',
  },
  amountUsersSeed: {
    env: 'AMOUNT_USERS_SEED',
    kind: 'count',
    range: [1, 1_000_000_000],
    default: '100000',
    describe: 'Users that `seed` (or a first start on the embedded source) makes.',
    commands: allThatRead,
    group: 'Trial servers',
  },
  dataDir: {
    env: 'DATA_DIR',
    kind: 'path',
    default: '.data',
    describe: 'Folder in which the embedded servers keep their data.',
    commands: all,
    group: 'Trial servers',
  },
  json: {
    env: 'JSON_LINES',
    kind: 'switch',
    default: '',
    describe: 'Print progress and summary as JSON lines on standard output.',
    commands: ['start', 'verify', 'status', 'seed', 'retry'],
    group: 'Output',
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

/** What people are told is the default; empty where there is none. */
export function shownDefault(name: OptionName): string {
  const option: Option = options[name];
  return option.shown ?? option.default;
}
