/**
 * Every command that README.md and docs/*.md show is run as a reader runs it (but see `quick-npm.ts`), or is listed here with the
 * reason.
 */

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { ExitCode, UsageError } from '../../src/common/errors.ts';
import { checkPlanFile } from '../../src/plan/file/plan-file.ts';
import { listCommands, readDocuments, splitCommand, type Block } from '../support/documents.ts';
import { waitUntil } from '../support/embedded.ts';
import { groupLimitMs } from '../support/limits.ts';
import { assertPsqlOutput } from '../support/psql-output.ts';
import { assertShown } from '../support/documented-output.ts';
import { Stage, startStageServers, type RunningCommand, type StageServers } from '../support/stage.ts';
import { fillUsers, preparations, requireCode, type Preparation } from './preparations.ts';

/** By how a command begins. */
const notRun: Readonly<Record<string, string>> = {
  'npm ci': 'installs what the tests run from; .ci/run begins with it',
  'npm test': 'runs this test',
  'npm run test:pools': 'takes minutes: tests of faults, three times',
  'npm run test:cases':
    'needs the file of a whole test run; test/unit/scripts/test-case-list.test.ts tests it',
  'npm run structure':
    'needs the sources, which the folder of the commands does not have; test/unit/scripts/structure tests it',
  'npm run test:datestyles': 'takes minutes: most of the tests, three times',
  'npm run test:servers': 'takes minutes: tests on other servers; .ci/run does it',
  'npm run bench':
    'takes minutes, and needs an idle machine; test/integration/bench/contestants.test.ts runs contestants with few documents',
  'npm run simulate': 'takes minutes',
  'npm run soak': 'takes minutes, or hours',
  'npm run soak:citus': 'takes minutes, and needs Citus; test/fault/citus-crashed.test.ts',
  'npm run fuzz': 'takes minutes, or hours',
  'npm start -- --distribute': 'needs Citus; test/integration/postgres/citus.test.ts',
  'npm start -- --follow':
    'runs until it is stopped; test/docs/follow-walk.test.ts runs it with what follows',
  'npm run cutover': 'needs a process that follows; test/docs/follow-walk.test.ts',
  'npm run repair': 'needs a process that has followed; test/integration/follow/cutover.test.ts',
  'npm start -- --hosts': 'needs other hosts to be more than a start; test/fault/hosts-together.test.ts',
  'npm start -- --hosts --follow':
    'needs other hosts, and continues until a cutover; test/fault/hosts-follow.test.ts',
  'npm run verify -- --hosts':
    'needs other hosts to be more than a verify; test/fault/hosts-verify-later.test.ts',
  'npm run join': 'needs a host that has begun; test/fault/hosts-together.test.ts',
  'npm run status -- --watch': 'runs until it is stopped; test/docs/follow-walk.test.ts',
  'npm run servers':
    'waits for Ctrl-C, or needs a psql; see packages/trial-servers/test/integration/serve.test.ts',
  'npm run seed -- --live 60': 'takes a minute; test/integration/cli/live-seed.test.ts takes seconds',
  'npm pack': 'rebuilds the package while tests use it; test/support/package.ts packs the existing build',
  '.ci/run': 'runs all tests, this one among them',
  'docker compose up': 'needs Docker, and images of servers',
  'docker build': 'needs Docker; test/integration/cli/image.test.ts carries out the steps',
  'docker run': 'needs Docker; test/integration/cli/image.test.ts runs what is in the image',
  kubectl: 'needs a cluster; test/docs/deploy.test.ts validates the manifests',
  install: 'writes to /etc',
  systemctl: 'needs systemd as process 1; test/docs/deploy.test.ts has the unit verified',
  journalctl: 'needs a journal of systemd',
  mongodump: 'needs a MongoDB and its tools; test/support/dump.ts writes dumps by their format',
  mongoexport: 'needs a MongoDB and its tools',
  mongorestore: 'needs a MongoDB and its tools',
  "db.getSiblingDB('admin').createUser": 'needs a MongoDB with users: the embedded one has none',
};

const documents = readDocuments();

describe('commands in the documents', { concurrency: 2, timeout: groupLimitMs }, () => {
  let all: readonly StageServers[] = [];
  const free: StageServers[] = [];
  before(async () => {
    all = await Promise.all([startStageServers(), startStageServers()]);
    free.push(...all);
  });
  after(async () => {
    // Also those of tests that timed out.
    await Promise.all(all.map((servers) => servers.stop()));
  });

  async function onStage(
    { kind = 'checkout', prepare }: Preparation,
    act: (stage: Stage) => Promise<void>,
  ): Promise<void> {
    const servers = free.pop();
    assert.ok(servers !== undefined, 'no more run at a time than there are servers');
    const stage = await Stage.set(servers, kind);
    try {
      await prepare?.(stage);
      await act(stage);
    } finally {
      free.push(servers);
      await stage.remove();
    }
  }

  for (const { file, blocks } of documents) {
    if (blocks.every((block) => listCommands(block).length === 0)) continue;
    it(file, () =>
      onStage(preparations[file] ?? {}, async (stage) => {
        const walk: Walk = { stage, background: null };
        try {
          for (const block of blocks) await runBlock(walk, block);
          assert.equal(walk.background, null, `${file}: a command is still running`);
        } finally {
          walk.background?.signal('SIGKILL');
          await walk.background?.ended;
        }
      }),
    );
  }

  it('commands within sentences that no block shows, each on a new collection', () =>
    onStage({}, async (stage) => {
      const shown = new Set(listShown());
      for (const command of new Set(listQuoted())) {
        if (shown.has(command) || findReason(command) !== null) continue;
        await stage.servers.clear();
        await fillUsers(stage);
        await requireCode(stage, command, ExitCode.ok);
      }
    }));
});

function listShown(): string[] {
  return documents.flatMap(({ blocks }) =>
    blocks.flatMap((block) =>
      block.language === 'js'
        ? [block.text]
        : listCommands(block)
            .filter(({ prompt }) => prompt === 'shell')
            .flatMap(({ text }) => splitCommand(text)),
    ),
  );
}

function listQuoted(): string[] {
  return documents.flatMap(({ quoted }) => quoted.flatMap(({ text }) => splitCommand(text)));
}

/** A walk through a document. */
interface Walk {
  readonly stage: Stage;
  /** The command in the other terminal. */
  background: RunningCommand | null;
}

async function runBlock(walk: Walk, block: Block): Promise<void> {
  const { stage } = walk;
  const { code, path, end, terminal } = readNotes(block);
  if (path !== null) {
    await stage.write(path, `${block.text}\n`);
  } else if (block.language === 'js') {
    assert.ok(findReason(block.text) !== null, `${placeOf(block)}: neither a file, nor listed as not run`);
  }
  if (terminal === 'keeps running') {
    walk.background = await begin(stage, block);
    return;
  }
  if (terminal === 'ends') {
    await endBackground(walk, block, code);
    return;
  }
  const commands = path === null ? listCommands(block) : [];
  assert.ok(
    code === 0 || commands.length === 1,
    `${placeOf(block)}: of several commands, which exits ${code}?`,
  );
  for (const command of commands) {
    if (command.prompt === 'sql') {
      assertPsqlOutput(await stage.servers.query(command.text), command.output);
    } else if (splitCommand(command.text).every((part) => findReason(part) === null)) {
      const outcome = await stage.shell(command.text, end);
      const place = `${placeOf(block)}: ${command.text}\n${outcome.text}`;
      assert.equal(outcome.code, code, place);
      assertShown(command, outcome.text, place);
    }
  }
}

/** Starts the command of the block in another terminal. */
async function begin(stage: Stage, block: Block): Promise<RunningCommand> {
  const [command, ...others] = listCommands(block);
  assert.ok(command !== undefined && others.length === 0, `${placeOf(block)}: one command keeps running`);
  const running = stage.start(command.text);
  let isOver = false;
  void running.ended.then(() => (isOver = true));
  // It is in the ledger before a reader opens a second terminal.
  await waitUntil(`${placeOf(block)} can be tuned`, async () => {
    assert.ok(!isOver, `${placeOf(block)}: ended too soon\n${running.text}`);
    const [paces] = await stage.servers
      .query('SELECT 1 FROM mongo2pg.paces')
      .catch((error: unknown) => missingTable(error));
    return (paces?.rows.length ?? 0) > 0;
  });
  assertShown(command, running.text, `${placeOf(block)}: ${command.text}\n${running.text}`);
  return running;
}

function missingTable(error: unknown): [] {
  if ((error as { code?: unknown }).code === '42P01') return [];
  throw error;
}

/** The block shows its output to the end. */
async function endBackground(walk: Walk, block: Block, wanted: number): Promise<void> {
  const { background } = walk;
  assert.ok(background !== null, `${placeOf(block)}: no command is running`);
  const { code, text } = await background.ended;
  walk.background = null;
  const place = `${placeOf(block)}\n${text}`;
  assert.equal(code, wanted, place);
  assertShown({ output: block.text.split('\n') }, text, place);
}

interface Notes {
  /** The exit code of the command. */
  code: number;
  /** The path of the file whose content the block is. */
  path: string | null;
  /** The signal that interrupts it. */
  end: 'SIGINT' | 'SIGKILL' | null;
  /** The command keeps running while those of the next blocks are run; or the block is the rest of what it prints. */
  terminal: 'keeps running' | 'ends' | null;
  /** A plan with mistakes. */
  isRefused: boolean;
}

function readNotes({ notes, ...block }: Block): Notes {
  const read: Notes = { code: 0, path: null, end: null, terminal: null, isRefused: false };
  for (const note of notes) {
    const [word, value] = note.split(' ');
    if (word === 'exits') read.code = Number(value);
    else if (word === 'file' && value !== undefined) read.path = value;
    else if (note === 'interrupted') read.end = 'SIGINT';
    else if (note === 'killed') read.end = 'SIGKILL';
    else if (note === 'keeps running' || note === 'ends') read.terminal = note;
    else if (note === 'refused') read.isRefused = true;
    else assert.fail(`${placeOf(block)}: the note "${note}" is not known`);
  }
  return read;
}

function placeOf({ file, line }: Pick<Block, 'file' | 'line'>): string {
  return `${file}:${line}`;
}

function findReason(command: string): string | null {
  const known = Object.keys(notRun).find(
    (start) => command === start || command.startsWith(`${start} `) || command.startsWith(`${start}(`),
  );
  return known === undefined ? null : (notRun[known] ?? null);
}

it('commands that are not run are in the documents, and their npm scripts exist', async (t) => {
  const all = [...listShown(), ...listQuoted()];
  const { scripts } = JSON.parse(await readFile('package.json', 'utf8')) as {
    scripts: Record<string, string>;
  };
  for (const [command, reason] of Object.entries(notRun)) {
    t.diagnostic(`not run: ${command}: ${reason}`);
    assert.ok(
      all.some((one) => one.startsWith(command)),
      `no document names ${command}`,
    );
    const script = /^npm run (\S+)/.exec(command)?.[1];
    assert.ok(script === undefined || script in scripts, command);
  }
});

it('JSON is JSON, and a plan is a plan', () => {
  const blocks = documents
    .flatMap((document) => document.blocks)
    .filter(({ language }) => language === 'json');
  assert.ok(blocks.length > 0);
  for (const block of blocks) {
    const value = JSON.parse(block.text) as object;
    if (!('columns' in value)) continue;
    if (readNotes(block).isRefused) assert.throws(() => checkPlanFile(value, block.file), UsageError);
    else checkPlanFile(value, placeOf(block));
  }
});
