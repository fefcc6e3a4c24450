/** Every command that README.md and docs/*.md show is run as a reader runs it, or is listed here with the reason. */

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { checkPlanFile } from '../../src/plan/plan-file.ts';
import { listCommands, readDocuments, splitCommand, type Block, type Command } from '../support/documents.ts';
import { assertPsqlOutput } from '../support/psql-output.ts';
import { Stage, startStageServers, type StageKind, type StageServers } from '../support/stage.ts';

/** With the flags that follow each. */
const notRun: Readonly<Record<string, string>> = {
  'npm ci': 'installs what the tests run from; .ci/run begins with it',
  'npm test': 'runs this test',
  'npm run test:pools': 'takes minutes: tests of faults, twice',
  'npm run test:servers': 'takes minutes: tests on other servers; .ci/run does it',
  'npm run bench':
    'takes minutes, and wants a quiet machine; test/integration/measurement.test.ts is about what it measures with',
  'npm run soak': 'takes minutes, or hours',
  'npm run fuzz': 'takes minutes, or hours',
  'npm run servers': 'waits for Ctrl-C, or needs a psql; see test/integration/embedded-serve.test.ts',
  '.ci/run': 'runs all tests, this one among them',
  'docker compose up': 'needs Docker, and images of servers',
  mongodump: 'needs a MongoDB and its tools; test/support/dump.ts writes dumps by their format',
  mongoexport: 'needs a MongoDB and its tools',
  "db.getSiblingDB('admin').createUser": 'needs a MongoDB with users: the embedded one has none',
};

interface Preparation {
  readonly kind?: StageKind;
  /** What the document takes for granted. */
  readonly prepare?: (stage: Stage) => Promise<void>;
}

const preparations: Readonly<Record<string, Preparation>> = {};

const documents = readDocuments();

describe('commands in the documents', { concurrency: 2, timeout: 300_000 }, () => {
  const free: StageServers[] = [];
  before(async () => {
    free.push(...(await Promise.all([startStageServers(), startStageServers()])));
  });
  after(async () => {
    await Promise.all(free.map((servers) => servers.stop()));
  });

  for (const { file, blocks } of documents) {
    if (blocks.every((block) => listCommands(block).length === 0)) continue;
    it(file, async () => {
      const servers = free.pop();
      assert.ok(servers !== undefined, 'no more run at a time than there are servers');
      const { kind = 'checkout', prepare } = preparations[file] ?? {};
      const stage = await Stage.set(servers, kind);
      try {
        await prepare?.(stage);
        for (const block of blocks) await runBlock(stage, block);
      } finally {
        free.push(servers);
        await stage.remove();
      }
    });
  }
});

async function runBlock(stage: Stage, block: Block): Promise<void> {
  const { code, path, isInterrupted } = readNotes(block);
  if (path !== null) await stage.write(path, `${block.text}\n`);
  const commands = listCommands(block);
  assert.ok(
    code === 0 || commands.length === 1,
    `${placeOf(block)}: of several commands, which exits ${code}?`,
  );
  for (const command of commands) {
    if (command.prompt === 'sql') assertPsqlOutput(await stage.servers.query(command.text), command.output);
    else if (splitCommand(command.text).every((part) => findReason(part) === null)) {
      const outcome = await stage.shell(command.text, isInterrupted);
      const place = `${placeOf(block)}: ${command.text}\n${outcome.text}`;
      assert.equal(outcome.code, code, place);
      assertShown(command, outcome.text, place);
    }
  }
}

/** Each line that the document shows was printed, be it with other numbers. A line with … may be anything. */
function assertShown({ output }: Command, printed: string, place: string): void {
  const lines = new Set(printed.split('\n').map(blurNumbers));
  for (const line of output) {
    // How far a run has come by when is another matter each time.
    if (line.includes('…') || line.includes(' docs/s · ')) continue;
    assert.ok(lines.has(blurNumbers(line)), `not printed: ${line}\n${place}`);
  }
}

function blurNumbers(line: string): string {
  return line
    .replace(/^\^C/, '')
    .trimEnd()
    .replaceAll(/\d[\d,.:-]*/g, '0');
}

function readNotes({ notes, ...block }: Block): {
  code: number;
  path: string | null;
  isInterrupted: boolean;
} {
  let [code, path, isInterrupted]: [number, string | null, boolean] = [0, null, false];
  for (const note of notes) {
    const [word, value] = note.split(' ');
    if (word === 'exits') code = Number(value);
    else if (word === 'file' && value !== undefined) path = value;
    else if (note === 'interrupted') isInterrupted = true;
    else assert.fail(`${placeOf(block)}: the note "${note}" is not known`);
  }
  return { code, path, isInterrupted };
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

describe('what the documents quote', () => {
  const shown = documents.flatMap(({ blocks }) =>
    blocks.flatMap((block) =>
      block.language === 'js'
        ? [block.text]
        : listCommands(block)
            .filter(({ prompt }) => prompt === 'shell')
            .flatMap(({ text }) => splitCommand(text)),
    ),
  );
  const quoted = documents.flatMap((document) => document.quoted);

  it('a command in a sentence is one that a block shows, or is listed as not run', () => {
    const known = new Set(shown);
    const unknown = quoted.filter(({ text }) =>
      splitCommand(text).some((part) => !known.has(part) && findReason(part) === null),
    );
    assert.deepEqual(
      unknown.map(({ text, ...place }) => `${placeOf(place)}: ${text}`),
      [],
    );
  });

  it('what is listed as not run is named, with a script of npm that is there', async (t) => {
    const all = [...shown, ...quoted.flatMap(({ text }) => splitCommand(text))];
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
    const parsed = documents
      .flatMap(({ blocks }) => blocks)
      .filter(({ language }) => language === 'json')
      .map((block) => ({ place: placeOf(block), value: JSON.parse(block.text) as object }));
    for (const { place, value } of parsed) if ('columns' in value) checkPlanFile(value, place);
    assert.ok(parsed.length > 0);
  });
});
