import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AutoSize, type SizeLimits } from '../../../../src/workers/supervisor/auto-size.ts';
import type { Crew, Observation, Seen } from '../../../../src/workers/supervisor/crew.ts';

const limits: SizeLimits = { canFork: true, cores: 4, maxWorkers: 12, maxConnections: 75, roundTripMs: 0.3 };

/** The workload, and the machine. */
interface World {
  /** Per batch of one MB: the time of a processor. */
  readonly transcodeMs: number;
  /** Per batch: the time of Postgres, and the round trip. */
  readonly loadMs: number;
  readonly roundTripMs: number;
  /** Batches that Postgres can load in a millisecond, with any number of connections. */
  readonly maxPerMs?: number;
  /** Processors of this machine, and those that others use. */
  readonly processorShare?: number;
  readonly isPressed?: boolean;
  readonly bytesLeft?: number;
  readonly isLarge?: boolean;
}

/** Time passes in steps of 100 ms; the measurements are those of such workers. */
class Simulation {
  readonly size: AutoSize;
  readonly crews: Crew[] = [];
  #nowMs = 0;
  #changedAtMs = 0;

  constructor(changes: Partial<SizeLimits> = {}) {
    this.size = new AutoSize({ ...limits, ...changes });
  }

  run(world: World, ms: number): Crew {
    for (const endMs = this.#nowMs + ms; this.#nowMs < endMs; this.#nowMs += 100) {
      const before = this.size.crew;
      const crew = this.size.decide(this.#observe(world));
      if (crew === before) continue;
      this.crews.push(crew);
      this.#changedAtMs = this.#nowMs;
    }
    return this.size.crew;
  }

  #observe(world: World): Observation {
    const { isPressed = true, bytesLeft = 1e12, isLarge = true } = world;
    return {
      ...{ nowMs: this.#nowMs, hasWork: true, isLarge, bytesLeft, isPressed, seen: this.#see(world) },
      // A process takes 300 ms to start.
      isComplete: this.#nowMs - this.#changedAtMs >= 300,
    };
  }

  #see({ transcodeMs, loadMs, roundTripMs, maxPerMs = Infinity, processorShare = 0.3 }: World): Seen {
    const { workers, isInside, connections } = this.size.crew;
    const count = Math.max(1, workers + (isInside ? 1 : 0));
    const ofConnections = connections / (transcodeMs + loadMs);
    const perMs = Math.min(1 / transcodeMs, ofConnections, maxPerMs / count);
    const transcodeShare = perMs * transcodeMs;
    return {
      ...{ acks: Math.floor((this.#nowMs - this.#changedAtMs) * perMs), transcodeShare, roundTripMs },
      stalledShare: 1 - transcodeShare,
      bytesPerMs: perMs * count * 1e6,
      processorShare: () => processorShare,
    };
  }
}

const near: World = { transcodeMs: 50, loadMs: 20, roundTripMs: 0.3 };
const far: World = { transcodeMs: 10, loadMs: 90, roundTripMs: 20 };

describe('AutoSize', () => {
  it('has no workers before there is work', () => {
    const size = new AutoSize(limits);
    const seen: Seen = {
      ...{ acks: 0, transcodeShare: 0, stalledShare: 0, roundTripMs: null, bytesPerMs: 0 },
      processorShare: () => null,
    };
    const nothing = {
      nowMs: 0,
      hasWork: false,
      isLarge: true,
      bytesLeft: 1,
      isComplete: true,
      isPressed: true,
    };
    assert.deepEqual(size.decide({ ...nothing, seen }), { workers: 0, isInside: false, connections: 1 });
  });

  it('forks nothing for little work, and one worker for more', () => {
    const simulation = new Simulation();
    const little = { ...near, isLarge: false, isPressed: false };
    assert.deepEqual(simulation.run(little, 60_000), { workers: 0, isInside: true, connections: 2 });
    assert.match(simulation.size.explain(), /so little work is loaded without forking/);
    assert.deepEqual(simulation.run({ ...near, isPressed: false }, 1_000), {
      workers: 1,
      isInside: false,
      connections: 2,
    });
  });

  it('never returns to a worker in the primary', () => {
    const simulation = new Simulation();
    simulation.run(near, 1_000);
    simulation.run({ ...near, isLarge: false }, 60_000);
    assert.ok(simulation.crews.every(({ isInside }) => !isInside));
  });

  it('forks one per core near Postgres while processors are idle, and no more', () => {
    const simulation = new Simulation();
    assert.deepEqual(simulation.run(near, 60_000), { workers: 4, isInside: false, connections: 2 });
    assert.deepEqual(
      simulation.crews.map(({ workers }) => workers),
      [1, 2, 4],
    );
    assert.match(simulation.size.explain(), /one a core/);
  });

  it('forks no more if no batch waits, processors are busy, or little is left', () => {
    for (const [change, why] of [
      [{ isPressed: false }, /no batch had to wait/],
      [{ processorShare: 0.95 }, /processors were busy \(95%\)/],
      [{ bytesLeft: 31e6 }, /not worth another fork/],
    ] as const) {
      const simulation = new Simulation();
      assert.deepEqual(simulation.run({ ...near, ...change }, 60_000).workers, 1);
      assert.match(simulation.size.explain(), why);
    }
  });

  it('opens more connections if all wait for a distant Postgres, and then more workers', () => {
    const simulation = new Simulation();
    // So far that eight connections of four workers are not enough.
    const crew = simulation.run({ ...far, loadMs: 900 }, 60_000);
    assert.deepEqual(crew, { workers: 8, isInside: false, connections: 8 });
    assert.deepEqual(
      simulation.crews.map(({ workers, connections }) => [workers, connections]),
      [
        [1, 2],
        [1, 4],
        [1, 8],
        [2, 8],
        [4, 8],
        [8, 8],
      ],
    );
    assert.match(simulation.size.explain(), /all waited for PostgreSQL, 20 ms away/);
  });

  it('begins with more connections if Postgres is distant', () => {
    const simulation = new Simulation({ roundTripMs: 20 });
    assert.equal(simulation.run(far, 100).connections, 4);
    assert.match(simulation.size.explain(), /PostgreSQL is 20 ms away/);
  });

  it('opens as many connections as keep a worker transcoding, and then a worker for each core', () => {
    const simulation = new Simulation();
    assert.deepEqual(simulation.run({ ...far, loadMs: 50 }, 60_000), {
      workers: 4,
      isInside: false,
      connections: 8,
    });
  });

  it('opens none if Postgres is near and the processors are busy: Postgres needs them', () => {
    const simulation = new Simulation();
    const busy = { transcodeMs: 10, loadMs: 90, roundTripMs: 0.3, processorShare: 0.97 };
    assert.deepEqual(simulation.run(busy, 60_000), { workers: 1, isInside: false, connections: 2 });
    assert.match(simulation.size.explain(), /processors were busy/);
  });

  it('reverts what did not help, pauses, and tries again', () => {
    const simulation = new Simulation();
    // Postgres loads 20 batches a second, with any number of connections.
    const slow = { ...far, maxPerMs: 0.02 };
    simulation.run(slow, 5_000);
    const connections = (): number[] => simulation.crews.map((crew) => crew.connections);
    assert.deepEqual(connections(), [2, 4, 2]);
    assert.match(simulation.size.explain(), /did not help/);
    simulation.run(slow, 25_000);
    assert.deepEqual(connections(), [2, 4, 2], 'it rests');
    simulation.run(slow, 10_000);
    assert.deepEqual(connections(), [2, 4, 2, 4, 2]);
  });

  it('is limited by the free connections of Postgres, and by the maximum of workers', () => {
    for (const maxConnections of [1, 2, 3, 5, 9, 17, 33]) {
      for (const world of [near, far, { ...far, loadMs: 900 }]) {
        const simulation = new Simulation({ maxConnections });
        simulation.run(world, 60_000);
        for (const { workers, connections } of simulation.crews) {
          assert.ok(workers >= 1 && workers <= limits.maxWorkers, String(workers));
          assert.ok(
            connections >= 1 && workers * connections <= maxConnections,
            `${workers} × ${connections}`,
          );
        }
      }
    }
    const simulation = new Simulation({ maxConnections: 2 });
    simulation.run(far, 60_000);
    assert.match(simulation.size.explain(), /no more connections left/);
  });

  it('has one worker in the primary if workers are inline, with more connections in the same way', () => {
    const simulation = new Simulation({ canFork: false });
    assert.deepEqual(simulation.run(far, 60_000), { workers: 0, isInside: true, connections: 8 });
    assert.deepEqual(new Simulation({ canFork: false }).run(near, 60_000), {
      workers: 0,
      isInside: true,
      connections: 2,
    });
  });

  it('gives small collections in parallel more connections, and forks nothing', () => {
    const simulation = new Simulation();
    assert.deepEqual(simulation.run({ ...near, isLarge: false }, 60_000), {
      workers: 0,
      isInside: true,
      connections: 4,
    });
  });
});
