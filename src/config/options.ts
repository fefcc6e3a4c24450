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

export type CommandName =
  'start' | 'plan' | 'verify' | 'status' | 'seed' | 'retry' | 'servers' | 'cutover' | 'repair';

/** The groups of `--help`. */
export type OptionGroup =
  'Source' | 'Target' | 'Plan' | 'Workers' | 'Limits' | 'Following' | 'Proof' | 'Output' | 'Trial servers';

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
const allThatWork = ['start', 'verify', 'cutover', 'repair'] as const;
const startAndPlan = ['start', 'plan'] as const;
const allThatRead = ['start', 'plan', 'verify', 'seed', 'cutover', 'repair'] as const;
const all = [...allThatRead, 'status', 'retry', 'servers'] as const;

/** In the order in which they are shown. The flag of `MONGO_URL` is `--mongo-url`, and so on. */
export const options = {
  mongoUrl: {
    env: 'MONGO_URL',
    kind: 'mongo-url',
    default: '',
    describe: 'Source: mongodb://… or mongodb+srv://…; `embedded` starts the built-in trial server.',
    commands: allThatRead,
    group: 'Source',
  },
  source: {
    env: 'SOURCE',
    kind: 'path',
    default: '',
    describe:
      'Dump to read instead of MONGO_URL: a .bson file, a mongodump folder or archive, or mongoexport JSON; gzip is allowed.',
    commands: ['start', 'plan', 'verify', 'retry'],
    group: 'Source',
  },
  mongoDb: {
    env: 'MONGO_DB',
    kind: 'text',
    default: 'school',
    describe: 'Source database. Without it, the one in MONGO_URL or in the dump is used, then the default.',
    commands: allThatRead,
    group: 'Source',
  },
  mongoCollection: {
    env: 'MONGO_COLLECTION',
    kind: 'text',
    default: 'users',
    describe:
      'Source collection; the table gets its name. Names and patterns copy several: `users,courses`, `log_*`, `*` for all (the default for a dump).',
    commands: ['start', 'plan', 'verify', 'seed', 'retry', 'cutover', 'repair'],
    group: 'Source',
  },
  excludeCollections: {
    env: 'EXCLUDE_COLLECTIONS',
    kind: 'text',
    default: '',
    describe: 'Names and patterns of collections to skip when several are copied.',
    commands: allThatWork,
    group: 'Source',
  },
  postgresUrl: {
    env: 'POSTGRES_URL',
    kind: 'postgres-url',
    default: '',
    describe: 'Target: postgres://…; `embedded` starts the built-in trial server.',
    commands: ['start', 'verify', 'status', 'retry', 'cutover', 'repair'],
    group: 'Target',
  },
  postgresSchema: {
    env: 'POSTGRES_SCHEMA',
    kind: 'schema',
    default: 'public',
    describe: 'Target schema; created if it does not exist.',
    commands: ['start', 'plan', 'verify', 'retry', 'cutover', 'repair'],
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
      'What to do with existing data (in the table; for `seed`, in the collection): fail, drop, truncate or append.',
    commands: startAndSeed,
    group: 'Target',
  },
  restart: {
    env: 'RESTART',
    kind: 'switch',
    default: '',
    describe: 'Start from scratch: discard the rows of an earlier run of the same table, finished or not.',
    commands: startOnly,
    group: 'Target',
  },
  clusterImplementation: {
    env: 'CLUSTER_IMPLEMENTATION',
    kind: 'choice',
    choices: clusterImplementations,
    default: 'cluster',
    describe:
      'How workers run: cluster (processes), threads (in one process), or inline (connections of the primary process).',
    commands: allThatWork,
    group: 'Workers',
  },
  clusterSizeMultiplier: {
    env: 'CLUSTER_SIZE_MULTIPLIER',
    kind: 'count',
    range: [1, 100],
    default: '3',
    describe: 'Workers per core, if CLUSTER_SIZE is not set.',
    commands: allThatWork,
    group: 'Workers',
  },
  clusterSize: {
    env: 'CLUSTER_SIZE',
    kind: 'count',
    range: [1, 1000],
    default: '',
    describe:
      'Number of workers; each opens one PostgreSQL connection (default: cores × CLUSTER_SIZE_MULTIPLIER). Limited by the connections that PostgreSQL has free.',
    commands: allThatWork,
    group: 'Workers',
  },
  itemsPerPage: {
    env: 'ITEMS_PER_PAGE',
    kind: 'count',
    // The upper end keeps a page's bookkeeping in 32-bit integers; MongoDB cuts a reply at 16 MB anyway.
    range: [1, 1_000_000],
    default: '20000',
    describe:
      'Maximum documents per batch (one page, one COPY, one transaction). A batch also ends at about 4 MB.',
    commands: allThatWork,
    group: 'Workers',
  },
  readRanges: {
    env: 'READ_RANGES',
    kind: 'count',
    range: [1, 64],
    default: '4',
    describe:
      'Maximum _id ranges to read in parallel; each holds a page of up to 16 MB in memory. Small collections use fewer.',
    commands: allThatWork,
    group: 'Source',
  },
  maxInFlightMb: {
    env: 'MAX_IN_FLIGHT_MB',
    kind: 'count',
    range: [1, 65_536],
    default: '64',
    describe: 'Maximum megabytes read but not yet committed; a single batch is always allowed.',
    commands: allThatWork,
    group: 'Workers',
  },
  follow: {
    env: 'FOLLOW',
    kind: 'switch',
    default: '',
    describe: 'Keep the tables in step with the collections, during the copy and after it, until cutover.',
    commands: startOnly,
    group: 'Following',
  },
  check: {
    env: 'CHECK',
    kind: 'switch',
    default: '',
    describe: 'Report whether cutover is possible, without changing anything.',
    commands: ['cutover'],
    group: 'Following',
  },
  waitSeconds: {
    env: 'WAIT_SECONDS',
    flag: 'wait',
    kind: 'count',
    range: [1, 86_400],
    default: '600',
    describe: 'Seconds to wait until the last changes are merged.',
    commands: ['cutover'],
    group: 'Following',
  },
  dryRun: {
    env: 'DRY_RUN',
    flag: 'dry-run',
    kind: 'switch',
    default: '',
    describe: 'Inspect both sides and report what a start would do, without writing to either.',
    commands: startOnly,
    group: 'Proof',
  },
  verify: {
    env: 'VERIFY',
    kind: 'switch',
    default: '',
    describe: 'After the copy, compare every document with its row, as the command `verify` does.',
    commands: startOnly,
    group: 'Proof',
  },
  sample: {
    env: 'VERIFY_SAMPLE',
    flag: 'sample',
    kind: 'share',
    default: '100%',
    describe:
      'Share of the documents to compare, such as 1%, in random pages. All documents are still read and counted.',
    commands: ['start', 'verify'],
    group: 'Proof',
  },
  maxDeadLetters: {
    env: 'MAX_DEAD_LETTERS',
    kind: 'count',
    range: [0, Number.MAX_SAFE_INTEGER],
    default: '',
    describe:
      'Stop the run after more than this many dead letters (default: never). For `cutover`: how many to accept (default: none).',
    commands: ['start', 'cutover'],
    group: 'Limits',
  },
  retrySeconds: {
    env: 'RETRY_SECONDS',
    kind: 'count',
    range: [0, 86_400],
    default: '60',
    describe: 'How long transient errors are retried before the run stops.',
    commands: ['start', 'verify', 'status', 'retry', 'cutover', 'repair'],
    group: 'Limits',
  },
  answerTimeoutSeconds: {
    env: 'ANSWER_TIMEOUT_SECONDS',
    kind: 'count',
    range: [1, 86_400],
    default: '120',
    describe: 'How long to wait for an answer from a server before reconnecting.',
    commands: ['start', 'verify', 'status', 'cutover', 'repair'],
    group: 'Limits',
  },
  workerTimeoutSeconds: {
    env: 'WORKER_TIMEOUT_SECONDS',
    kind: 'count',
    range: [2, 86_400],
    default: '60',
    describe: 'How long a worker may send no heartbeat before it is killed and replaced.',
    commands: allThatWork,
    group: 'Limits',
  },
  sampleSize: {
    env: 'SAMPLE_SIZE',
    kind: 'count',
    range: [1, 1_000_000],
    default: '10000',
    describe: 'Documents to sample when columns and types are inferred.',
    commands: startAndPlan,
    group: 'Plan',
  },
  filter: {
    env: 'FILTER',
    kind: 'filter',
    default: '',
    describe: 'MongoDB filter in Extended JSON; only matching documents are copied (default: all).',
    commands: startAndPlan,
    group: 'Source',
  },
  plan: {
    env: 'PLAN',
    kind: 'path',
    default: '',
    describe: 'Plan file that maps fields to columns. Without it, the plan is inferred.',
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
      'Layout of an inferred plan: columns (one per field) or document (_id, and the whole document as jsonb).',
    commands: startAndPlan,
    group: 'Plan',
  },
  objectId: {
    env: 'OBJECT_ID',
    kind: 'choice',
    choices: objectIdStyles,
    default: 'text',
    describe: 'Type of ObjectIds in an inferred plan: text (24 hex digits) or bytea (12 bytes).',
    commands: startAndPlan,
    group: 'Plan',
  },
  requiredNotNull: {
    env: 'REQUIRED_NOT_NULL',
    flag: 'required-not-null',
    kind: 'switch',
    default: '',
    describe:
      "Infer NOT NULL for fields that the collection's validator requires; a document without the value becomes a dead letter.",
    commands: startAndPlan,
    group: 'Plan',
  },
  jsonStyle: {
    env: 'JSON_STYLE',
    kind: 'choice',
    choices: jsonStyles,
    default: 'relaxed',
    describe:
      'Format of jsonb: relaxed or canonical Extended JSON, or plain (dates and ids as text; types are lost).',
    commands: startAndPlan,
    group: 'Plan',
  },
  nul: {
    env: 'NUL',
    kind: 'choice',
    choices: nulPolicies,
    default: 'reject',
    describe:
      'How to handle U+0000 in text, which PostgreSQL cannot store: reject (the document becomes a dead letter), strip, or replace with U+FFFD.',
    commands: startAndPlan,
    group: 'Plan',
  },
  out: {
    env: 'PLAN_OUT',
    flag: 'out',
    kind: 'path',
    default: '',
    describe: 'File for the plan (default: standard output).',
    commands: ['plan'],
    group: 'Plan',
  },
  force: {
    env: 'PLAN_FORCE',
    flag: 'force',
    kind: 'switch',
    default: '',
    describe: 'Allow `plan` to overwrite an existing file.',
    commands: ['plan'],
    group: 'Plan',
  },
  report: {
    env: 'REPORT',
    kind: 'path',
    default: '',
    describe:
      'File for a report of the run: one HTML page with the summary, speed, memory and workers over time.',
    commands: startOnly,
    group: 'Output',
  },
  metricsPort: {
    env: 'METRICS_PORT',
    kind: 'count',
    range: [0, 65_535],
    default: '',
    describe:
      'Show the run in a browser on this port, with Prometheus metrics at /metrics and a health check at /healthz; 0 picks a free port.',
    commands: allThatWork,
    group: 'Output',
  },
  metricsHost: {
    env: 'METRICS_HOST',
    kind: 'text',
    default: '127.0.0.1',
    describe: 'Address to serve page and metrics on; the default is reachable from this machine only.',
    commands: allThatWork,
    group: 'Output',
  },
  indexes: {
    env: 'INDEXES',
    kind: 'choice',
    choices: indexChoices,
    default: 'carry',
    describe:
      "Indexes after the load: carry creates equivalents of the collection's indexes, none skips them.",
    commands: startOnly,
    group: 'Target',
  },
  indexJobs: {
    env: 'INDEX_JOBS',
    kind: 'count',
    range: [1, 64],
    default: '2',
    describe:
      'Number of indexes to build in parallel; each uses one connection and 256 MB of PostgreSQL memory.',
    commands: startOnly,
    group: 'Target',
  },
  watch: {
    env: 'STATUS_WATCH',
    flag: 'watch',
    kind: 'switch',
    default: '',
    describe: 'Repeat the status every two seconds until no run is active.',
    commands: ['status'],
    group: 'Output',
  },
  all: {
    env: 'STATUS_ALL',
    flag: 'all',
    kind: 'switch',
    default: '',
    describe: 'Also show runs whose rows a later run has replaced.',
    commands: ['status'],
    group: 'Output',
  },
  amountUsers: {
    env: 'AMOUNT_USERS',
    kind: 'count',
    range: [0, Number.MAX_SAFE_INTEGER],
    default: '',
    describe:
      'Expected number of documents: the total of the progress bar, and a warning at the end if the count differs.',
    commands: startOnly,
    group: 'Output',
  },
  amountUsersSeed: {
    env: 'AMOUNT_USERS_SEED',
    kind: 'count',
    range: [1, 1_000_000_000],
    default: '100000',
    describe: 'Number of users that `seed`, or a first start on the embedded source, inserts.',
    commands: allThatRead,
    group: 'Trial servers',
  },
  live: {
    env: 'LIVE',
    kind: 'count',
    range: [1, 604_800],
    default: '',
    describe:
      'Seconds for which `seed` inserts, updates and deletes users, instead of filling the collection.',
    commands: ['seed'],
    group: 'Trial servers',
  },
  rate: {
    env: 'RATE',
    kind: 'count',
    range: [1, 100_000],
    default: '100',
    describe:
      'Changes per second that `seed` makes with LIVE: two inserts, six updates and two deletions of ten.',
    commands: ['seed'],
    group: 'Trial servers',
  },
  dataDir: {
    env: 'DATA_DIR',
    kind: 'path',
    default: '.data',
    describe: 'Folder for the data of the embedded servers.',
    commands: all,
    group: 'Trial servers',
  },
  json: {
    env: 'JSON_LINES',
    kind: 'switch',
    default: '',
    describe: 'Print progress and summary as JSON lines on standard output.',
    commands: ['start', 'verify', 'status', 'seed', 'retry', 'cutover', 'repair'],
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
