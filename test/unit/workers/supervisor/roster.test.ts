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
  it('starts missing workers, and only these', () => {
    const { roster, beside, inside } = createRoster();
    roster.fill(crewOf(1, { isInside: true }));
    roster.fill(crewOf(3, { isInside: true }));
    assert.deepEqual([beside.workers.length, inside.workers.length], [3, 1]);
    assert.equal(roster.members.length, 4);
  });

  it('stops surplus workers, the last ones, once', () => {
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

  it('stops the worker in the primary when others take over', () => {
    const { roster, inside } = createRoster();
    roster.fill(crewOf(0, { isInside: true }));
    inside.worker(0).listens();
    roster.fill(crewOf(1));
    assert.deepEqual(inside.worker(0).received, [{ kind: 'drain' }]);
  });

  it('sends listening workers their number of connections', () => {
    const { roster, beside } = createRoster();
    roster.fill(crewOf(2));
    beside.worker(0).listens();
    roster.fill(crewOf(2, { connections: 3 }));
    assert.deepEqual(beside.worker(0).received, [{ kind: 'connections', count: 3 }]);
    assert.deepEqual(beside.worker(1).received, [], 'it is sent once the worker listens');
  });

  it('is complete with all workers ready, and all their connections', () => {
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

  it('removes an ended worker, and then reports it', () => {
    const { roster, beside, gone } = createRoster();
    roster.fill(crewOf(2));
    beside.worker(0).goes({ code: 1, signal: null });
    assert.deepEqual(gone, [{ code: 1, signal: null }]);
    assert.deepEqual(
      roster.members.map(({ worker }) => worker.id),
      ['2'],
    );
  });

  it('replaces one immediately, or after a pause, by the current crew', () => {
    const { roster, beside, clock } = createRoster();
    roster.fill(crewOf(2));
    const [first, second] = roster.members;
    assert.ok(first !== undefined && second !== undefined);
    for (const worker of beside.workers.slice()) worker.goes(killed);
    roster.replace(first, 0, () => crewOf(2));
    assert.equal(beside.workers.length, 3);
    let connections = 1;
    roster.replace(second, 500, () => crewOf(2, { connections }));
    // A replacement that is pending is not missing.
    roster.fill(crewOf(2));
    assert.equal(beside.workers.length, 3);
    connections = 4;
    clock.jump(500);
    assert.equal(beside.workers.length, 4);
    roster.members.at(-1)?.sendConnections();
    assert.deepEqual(beside.worker(3).received, [{ kind: 'connections', count: 4 }]);
  });

  it('starts no worker once it is closed', () => {
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

  it('moves the chosen worker to the end of the queue', () => {
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

  it('kills workers beside the primary without a heartbeat for too long, until it is closed', () => {
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

  it('kills all, and keeps the reason', () => {
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
