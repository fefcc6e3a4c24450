/** The pace at which a job reads its source: set by MAX_RATE and LOAD_LEVEL, and changed by `tune`. */

import { systemClock } from '../../common/clock.ts';
import { describeRate, readRate, writeRate, type Rate } from '../../common/rate.ts';
import type { Config } from '../../config/config.ts';
import { loadLevels, type LoadLevel } from '../../config/options/limits.ts';
import type { WrittenPace } from '../../observe/pace.ts';
import type { Database } from '../../source/database.ts';
import { Throttle } from '../../source/reading/throttle.ts';
import { throttleDatabase } from '../../source/reading/throttled-source.ts';
import { LoadWatch } from './load-watch.ts';

export interface Pace {
  /** Null: no limit. */
  readonly rate: Rate | null;
  readonly level: LoadLevel;
}

export type PaceConfig = Pick<Config, 'maxRate' | 'loadLevel'>;

export class SourcePace {
  /** The database, whose readers obey the pace. */
  readonly database: Database;
  readonly #throttle = new Throttle();
  readonly #watch: LoadWatch;

  /** @param signal stops readers that wait, with its reason */
  constructor({ maxRate, loadLevel }: PaceConfig, database: Database, signal: AbortSignal) {
    this.database = throttleDatabase(database, this.#throttle, signal);
    // A dump has no server with other users.
    const ping = (): Promise<void> => database.ping?.() ?? Promise.resolve();
    this.#watch = new LoadWatch({ ping, throttle: this.#throttle, clock: systemClock });
    this.set({ rate: maxRate ?? null, level: loadLevel ?? 'high' });
  }

  /** Whether reading has begun. */
  get hasBegun(): boolean {
    return this.#throttle.hasBegun;
  }

  get pace(): Pace {
    return { rate: this.#throttle.rate, level: this.#watch.level };
  }

  set({ rate, level }: Pace): void {
    this.#throttle.setRate(rate);
    this.#watch.setLevel(level);
  }

  /** Resolves when no more pings are sent. */
  async close(): Promise<void> {
    await this.#watch.close();
  }
}

export function writePace({ rate, level }: Pace): WrittenPace {
  return { maxRate: writeRate(rate), loadLevel: level };
}

/** @throws Error if this version did not write it */
export function readPace({ maxRate, loadLevel }: WrittenPace): Pace {
  const rate = readRate(maxRate);
  const level = loadLevels.find((one) => one === loadLevel);
  if (rate === undefined || level === undefined) throw new Error(`no pace: ${maxRate}, ${loadLevel}`);
  return { rate, level };
}

/** For people. */
export function describePace(written: WrittenPace): string {
  const { rate, level } = readPace(written);
  return `${describeRate(rate)}, load level ${level}`;
}
