import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Exit } from '../../../../src/workers/pool/pool.ts';
import type { Crew } from '../../../../src/workers/supervisor/crew.ts';
import type { Member } from '../../../../src/workers/supervisor/member.ts';
import { Roster } from '../../../../src/workers/supervisor/roster.ts';
import { ScriptedClock } from '../../../support/scripted-clock.ts';
import { ScriptedPool } from '../../../support/scripted-pool.ts';

const hangTimeoutMs = 10_000;

function createRoster() {
  const [beside, inside] = [new ScriptedPool(), new ScriptedPool(false)];
  const clock = new ScriptedClock();
  const gone: Exit[] = [];
  const roster = new Roster({
    ...{ pools: { beside, inside }, clock, hangTimeoutMs },
    onMessage: (member) => {
      member.lastHeardMs = clock.nowMs();
      if (member.state === 'spawned') member.state = 'listening';
    },
    onGone: (_, exit) => gone.push(exit),
  });
  return { roster, beside, inside, clock, gone };
}

function crewOf(workers: number, more: Partial<Crew> = {}): Crew {
  return { workers, isInside: false, connections: 1, ...more };
}

function areReady(members: readonly Member[], openConnections = 1): void {
  for (const member of members) Object.assign(member, { state: 'ready', openConnections });
}

const killed: Exit = { code: null, signal: 'SIGKILL' };

describe('Roster', () => {
  it('brings up who is missing, and only these', () => {
    const { roster, beside, inside } = createRoster();
    roster.fill(crewOf(1, { isInside: true }));
    roster.fill(crewOf(3, { isInside: true }));
    assert.deepEqual([beside.workers.length, inside.workers.length], [3, 1]);
    assert.equal(roster.members.length, 4);
  });

  it('lets the last leave who are too many, once', () => {
    const { roster, beside } = createRoster();
    roster.fill(crewOf(3));
    for (const worker of beside.workers) worker.listens();
    roster.fill(crewOf(1));
    roster.fill(crewOf(1));
    assert.deepEqual(
      beside.workers.map(({ received }) => received.map(({ kind }) => kind)),
      [[], ['drain'], ['drain']],
    );
  });

  it('lets the one in the primary leave when others are to do its work', () => {
    const { roster, inside } = createRoster();
    roster.fill(crewOf(0, { isInside: true }));
    inside.worker(0).listens();
    roster.fill(crewOf(1));
    assert.deepEqual(inside.worker(0).received, [{ kind: 'drain' }]);
  });

  it('tells those that listen how many connections they are to have', () => {
    const { roster, beside } = createRoster();
    roster.fill(crewOf(2));
    beside.worker(0).listens();
    roster.fill(crewOf(2, { connections: 3 }));
    assert.deepEqual(beside.worker(0).received, [{ kind: 'connections', count: 3 }]);
    assert.deepEqual(beside.worker(1).received, [], 'it is told when it listens');
  });

  it('is complete with all at work, and all their connections', () => {
    const { roster } = createRoster();
    const crew = crewOf(2, { connections: 2 });
    roster.fill(crew);
    const [first, ...others] = roster.members;
    assert.ok(first !== undefined);
    areReady(others, 2);
    assert.equal(roster.isComplete(crew), false, 'one is not ready');
    areReady([first], 1);
    assert.equal(roster.isComplete(crew), false, 'one lacks a connection');
    areReady([first], 2);
    assert.equal(roster.isComplete(crew), true);
    assert.equal(roster.isComplete({ ...crew, isInside: true }), false, 'the one in the primary is missing');
    first.isExiting = true;
    assert.equal(roster.isComplete(crew), false, 'one is on its way out');
  });

  it('forgets who is gone, and then tells of it', () => {
    const { roster, beside, gone } = createRoster();
    roster.fill(crewOf(2));
    beside.worker(0).goes({ code: 1, signal: null });
    assert.deepEqual(gone, [{ code: 1, signal: null }]);
    assert.deepEqual(
      roster.members.map(({ worker }) => worker.id),
      ['2'],
    );
  });

  it('replaces one at once, or when it is time, by the crew of then', () => {
    const { roster, beside, clock } = createRoster();
    roster.fill(crewOf(2));
    const [first, second] = roster.members;
    assert.ok(first !== undefined && second !== undefined);
    for (const worker of beside.workers.slice()) worker.goes(killed);
    roster.replace(first, 0, () => crewOf(2));
    assert.equal(beside.workers.length, 3);
    let connections = 1;
    roster.replace(second, 500, () => crewOf(2, { connections }));
    // One that is due is not missing.
    roster.fill(crewOf(2));
    assert.equal(beside.workers.length, 3);
    connections = 4;
    clock.jump(500);
    assert.equal(beside.workers.length, 4);
    roster.members.at(-1)?.sendConnections();
    assert.deepEqual(beside.worker(3).received, [{ kind: 'connections', count: 4 }]);
  });

  it('brings nobody up once it is closed', () => {
    const { roster, beside, clock } = createRoster();
    roster.fill(crewOf(1));
    const [member] = roster.members;
    assert.ok(member !== undefined);
    beside.worker(0).goes(killed);
    roster.replace(member, 500, () => crewOf(1));
    roster.close();
    clock.jump(500);
    roster.fill(crewOf(5));
    assert.equal(beside.workers.length, 1);
  });

  it('sends whom it chose to the end of the line', () => {
    const { roster } = createRoster();
    roster.fill(crewOf(3));
    const choose = (): string | undefined => roster.choose(({ worker }) => worker.id !== '2')?.worker.id;
    assert.deepEqual([choose(), choose(), choose()], ['1', '3', '1']);
    assert.equal(
      roster.choose(() => false),
      undefined,
    );
    assert.equal(roster.members.length, 3);
  });

  it('kills those beside the primary that are not heard for too long, until it is closed', () => {
    const { roster, beside, inside, clock, gone } = createRoster();
    roster.fill(crewOf(2, { isInside: true }));
    clock.pass(hangTimeoutMs, () => {
      beside.worker(0).isAlive(0, []);
    });
    assert.deepEqual(gone, [killed]);
    assert.deepEqual(
      roster.members.map(({ worker }) => worker),
      [inside.worker(0), beside.worker(0)],
    );
    roster.close();
    clock.pass(2 * hangTimeoutMs);
    assert.equal(roster.members.length, 2);
  });

  it('kills all, and keeps why', () => {
    const { roster, gone } = createRoster();
    roster.fill(crewOf(2));
    const members = [...roster.members];
    roster.kill('was not needed any more');
    assert.deepEqual(gone, [killed, killed]);
    assert.deepEqual(
      members.map((member) => member.describeEnd(killed)),
      ['was not needed any more', 'was not needed any more'],
    );
    assert.equal(roster.members.length, 0);
  });
});
