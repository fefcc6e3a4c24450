/** The steps of docs/follow.md, in three terminals, as documented; the minute of writes takes seconds here. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ExitCode } from '../../src/common/errors.ts';
import { listCommands, readDocuments, type Command } from '../support/documents.ts';
import { cleanUp, waitUntil } from '../support/embedded.ts';
import { assertShown } from '../support/documented-output.ts';
import { Stage, startStageServers, type RunningCommand } from '../support/stage.ts';

const file = 'docs/follow.md';

/** The commands of the walk: those up to the cutover, in the order of the document. */
function readWalk(): Command[] {
  const blocks = readDocuments().find((document) => document.file === file)?.blocks ?? [];
  return blocks.flatMap(listCommands).slice(0, 5);
}

describe('the walk of docs/follow.md', () => {
  it('works from the servers to the cutover', async (t) => {
    const servers = await startStageServers();
    cleanUp(t, () => servers.stop());
    // In a checkout without URLs: the servers of the first terminal are found.
    const stage = await Stage.set(servers, 'new checkout');
    cleanUp(t, () => stage.remove());
    const [hold, follow, seed, watch, cutover] = readWalk();
    assert.ok(hold !== undefined && follow !== undefined && seed !== undefined);
    assert.ok(watch !== undefined && cutover !== undefined);
    assert.deepEqual(
      [hold, follow, seed, watch, cutover].map(({ text }) => text),
      [
        'npm run servers',
        'npm start -- --follow',
        'npm run seed -- --live 60',
        'npm run status -- --watch',
        'npm run cutover',
      ],
    );
    const terminal = (command: string): RunningCommand => {
      const running = stage.start(command);
      cleanUp(t, async () => {
        running.signal('SIGINT');
        await running.ended;
      });
      return running;
    };
    const untilShown = async (command: Command, running: RunningCommand): Promise<void> => {
      await waitUntil(`${command.text} prints what is shown; it printed ${running.text}`, () => {
        try {
          assertShown(command, running.text, '');
          return Promise.resolve(true);
        } catch {
          return Promise.resolve(false);
        }
      });
    };

    const first = terminal(hold.text);
    await waitUntil('the servers are there', () => Promise.resolve(first.text.includes('Ctrl-C')));
    const second = terminal(follow.text);
    await untilShown(follow, second);
    const third = await terminal(seed.text.replace(/60$/, '5')).ended;
    assert.equal(third.code, ExitCode.ok, third.text);
    const watching = terminal(watch.text);
    await waitUntil('the lag is shown', () =>
      Promise.resolve(/stream 1: school .*: following · .* waiting · .*can cut over: /.test(watching.text)),
    );
    watching.signal('SIGINT');
    await watching.ended;
    const ended = await terminal(cutover.text).ended;
    assert.equal(ended.code, ExitCode.ok, ended.text + second.text);
    assertShown(cutover, ended.text, ended.text);
    const followed = await second.ended;
    assert.equal(followed.code, ExitCode.ok, followed.text);
  });
});
