/** Every command that README.md and docs/*.md show is run as a reader runs it, or is listed here with the reason. */

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { ExitCode, UsageError } from '../../src/common/errors.ts';
import { checkPlanFile } from '../../src/plan/file/plan-file.ts';
import { listCommands, readDocuments, splitCommand, type Block, type Command } from '../support/documents.ts';
import { assertPsqlOutput } from '../support/psql-output.ts';
import { Stage, startStageServers, type StageServers } from '../support/stage.ts';
import { fillUsers, preparations, requireCode, type Preparation } from './preparations.ts';

/** By how a command begins. */
const notRun: Readonly<Record<string, string>> = {
  'npm ci': 'installs what the tests run from; .ci/run begins with it',
  'npm test': 'runs this test',
  'npm run test:pools': 'takes minutes: tests of faults, twice',
  'npm run test:datestyles': 'takes minutes: most of the tests, three times',
  'npm run test:servers': 'takes minutes: tests on other servers; .ci/run does it',
  'npm run bench':
    'takes minutes, and wants a quiet machine; test/integration/observe/measurement.test.ts is about what it measures with',
  'npm run soak': 'takes minutes, or hours',
  'npm run fuzz': 'takes minutes, or hours',
  'npm run servers':
    'waits for Ctrl-C, or needs a psql; see packages/trial-servers/test/integration/serve.test.ts',
  'npm run repair': 'needs changes that are lost; test/fault/follow-history-lost.test.ts is about it',
  'npm pack': 'makes the package anew, under the tests; test/support/package.ts packs what is built',
  '.ci/run': 'runs all tests, this one among them',
  'docker compose up': 'needs Docker, and images of servers',
  mongodump: 'needs a MongoDB and its tools; test/support/dump.ts writes dumps by their format',
  mongoexport: 'needs a MongoDB and its tools',
  mongorestore: 'needs a MongoDB and its tools',
  "db.getSiblingDB('admin').createUser": 'needs a MongoDB with users: the embedded one has none',
};

const documents = readDocuments();

describe('commands in the documents', { concurrency: 2, timeout: 300_000 }, () => {
  const free: StageServers[] = [];
  before(async () => {
    free.push(...(await Promise.all([startStageServers(), startStageServers()])));
  });
  after(async () => {
    await Promise.all(free.map((servers) => servers.stop()));
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
        for (const block of blocks) await runBlock(stage, block);
      }),
    );
  }

  it('commands within sentences that no block shows, each on a collection that is not copied yet', () =>
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

async function runBlock(stage: Stage, block: Block): Promise<void> {
  const { code, path, end } = readNotes(block);
  if (path !== null) await stage.write(path, `${block.text}\n`);
  else if (block.language === 'js') {
    assert.ok(findReason(block.text) !== null, `${placeOf(block)}: neither a file, nor listed as not run`);
  }
  const commands = listCommands(block);
  assert.ok(
    code === 0 || commands.length === 1,
    `${placeOf(block)}: of several commands, which exits ${code}?`,
  );
  for (const command of commands) {
    if (command.prompt === 'sql') assertPsqlOutput(await stage.servers.query(command.text), command.output);
    else if (splitCommand(command.text).every((part) => findReason(part) === null)) {
      const outcome = await stage.shell(command.text, end);
      const place = `${placeOf(block)}: ${command.text}\n${outcome.text}`;
      assert.equal(outcome.code, code, place);
      assertShown(command, outcome.text, place);
    }
  }
}

/** What it says depends on the machine: how far a run has come by when, and what it was short of. */
const aboutSpeed = / docs\/s · |^ {2}(plan|workers:|busy:|peak memory:) |bottleneck|Too small to tell/;

/** Each line that the document shows was printed, be it with other numbers; … is anything. */
function assertShown({ output }: Command, printed: string, place: string): void {
  const lines = printed.split('\n').map(blurNumbers);
  for (const line of output.filter((one) => !aboutSpeed.test(one))) {
    const parts = blurNumbers(line)
      .split('…')
      .map((part) => part.replaceAll(/[^\w\s]/g, String.raw`\$&`));
    const pattern = new RegExp(`^${parts.join('.*')}$`);
    assert.ok(
      lines.some((one) => pattern.test(one)),
      `not printed: ${line}\n${place}`,
    );
  }
}

function blurNumbers(line: string): string {
  return line
    .replace(/^\^C/, '')
    .trimEnd()
    .replaceAll(/\d[\d,.:-]*/g, '0');
}

interface Notes {
  /** With which the command ends. */
  code: number;
  /** Of the file that the block is. */
  path: string | null;
  /** With which it is ended in the middle of its work. */
  end: 'SIGINT' | 'SIGKILL' | null;
  /** A plan with mistakes. */
  isRefused: boolean;
}

function readNotes({ notes, ...block }: Block): Notes {
  const read: Notes = { code: 0, path: null, end: null, isRefused: false };
  for (const note of notes) {
    const [word, value] = note.split(' ');
    if (word === 'exits') read.code = Number(value);
    else if (word === 'file' && value !== undefined) read.path = value;
    else if (note === 'interrupted') read.end = 'SIGINT';
    else if (note === 'killed') read.end = 'SIGKILL';
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

it('what is not run is named in the documents, with a script of npm that is there', async (t) => {
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
