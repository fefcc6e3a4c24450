import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LoadWatch } from '../../../../src/run/pace/load-watch.ts';
import { Throttle } from '../../../../src/source/reading/throttle.ts';
import { TickingClock } from '../../../support/ticking-clock.ts';

class Server {
  readonly clock = new TickingClock();
  readonly watch: LoadWatch;
  answerMs = 10;
  isAway = false;
  pings = 0;

  constructor() {
    const { clock } = this;
    const ping = (): Promise<void> => {
      this.pings++;
      clock.ms += this.answerMs;
      return this.isAway ? Promise.reject(new Error('away')) : Promise.resolve();
    };
    this.watch = new LoadWatch({ ping, throttle: new Throttle(clock), clock });
  }

  async pass(seconds: number): Promise<void> {
    const endMs = this.clock.ms + seconds * 1000;
    while (this.clock.ms < endMs) {
      this.clock.pass(50);
      await new Promise(setImmediate);
    }
  }
}

describe('LoadWatch', () => {
  it('sends no pings and does not throttle at the level high', async () => {
    const server = new Server();
    server.watch.setLevel('high');
    await server.pass(10);
    assert.deepEqual([server.pings, server.watch.share], [0, 1]);
  });

  for (const [level, most] of [
    ['medium', 1],
    ['low', 0.5],
  ] as const) {
    it(`throttles at the level ${level} while the server answers half as fast, and then less again`, async () => {
      const server = new Server();
      server.watch.setLevel(level);
      await server.pass(5);
      assert.equal(server.watch.share, most);
      server.answerMs = 20;
      await server.pass(10);
      assert.equal(server.watch.share, most, 'twice as long is not more than that');
      server.answerMs = 25;
      await server.pass(2);
      const [after2] = [server.watch.share];
      assert.ok(after2 <= most / 2, String(after2));
      await server.pass(30);
      assert.equal(server.watch.share, 1 / 32, 'it is still read');
      server.answerMs = 10;
      await server.pass(40);
      assert.equal(server.watch.share, most);
      await server.watch.close();
    });
  }

  it('ignores single slow answers, and ones that double by less than 1 ms', async () => {
    const server = new Server();
    server.answerMs = 0.3;
    server.watch.setLevel('medium');
    await server.pass(5);
    server.answerMs = 1.2;
    await server.pass(20);
    assert.equal(server.watch.share, 1);
    for (let n = 0; n < 20; n++) {
      server.answerMs = n % 3 === 0 ? 0.3 : 500;
      await server.pass(1);
    }
    assert.equal(server.watch.share, 1);
    await server.watch.close();
  });

  it('tolerates an unavailable server, and sends no pings once it is closed or set to high', async () => {
    const server = new Server();
    server.watch.setLevel('medium');
    server.isAway = true;
    await server.pass(3);
    server.isAway = false;
    await server.pass(3);
    assert.ok(server.pings > 10, String(server.pings));
    server.watch.setLevel('high');
    const { pings } = server;
    await server.pass(3);
    assert.equal(server.pings, pings);
    server.watch.setLevel('low');
    await server.watch.close();
    await server.pass(3);
    assert.equal(server.pings, pings);
    assert.ok(server.clock.isIdle);
  });
});
