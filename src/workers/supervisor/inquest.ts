/** What follows from the death of a worker: which batch is to blame, and who cannot go on. */

import { ExitCode, MigrationError } from '../../common/errors.ts';
import { DeathBudget } from './death-budget.ts';
import type { ActiveRun } from './active-run.ts';
import type { InFlight } from './in-flight.ts';

export interface Death {
  readonly id: string;
  /** For people. */
  readonly how: string;
  /** It had been ready for batches. */
  readonly hasBegun: boolean;
  /** What it held. */
  readonly entries: readonly InFlight[];
}

export interface Finding {
  /** What was made of the batch that is to blame, for people. */
  readonly consequence: string | null;
  /** A run over whose batches too many have died; why. */
  readonly deadlyRun: { readonly run: ActiveRun; readonly failure: MigrationError } | null;
  /** Too many have died, and no batch is to blame: the workers cannot go on. */
  readonly failure: MigrationError | null;
  /** When there is to be another one. */
  readonly backOffMs: number;
}

export class Inquest {
  readonly #deaths = new DeathBudget();

  /** A batch was acked. */
  recover(run: ActiveRun): void {
    this.#deaths.recover();
    run.deaths.recover();
  }

  find({ id, how, hasBegun, entries }: Death): Finding {
    const explain = (why: string): MigrationError =>
      new MigrationError(ExitCode.internal, `worker ${id} ${how}; ${why}`, {
        code: 'WORKERS_KEEP_DYING',
        fix: 'look at the messages above; if memory ran out, lower ITEMS_PER_PAGE or CLUSTER_SIZE.',
      });
    // Any of several may be to blame, so that each is redelivered alone.
    if (entries.length > 1) for (const entry of entries) entry.suspect();
    const [only] = entries.length === 1 ? entries : [];
    const blamed = only?.run.isOver === false ? only : undefined;
    const consequence = blamed?.blame(how) ?? null;
    const ofRun = blamed?.run.deaths.record(true);
    const isRunDeadly = blamed !== undefined && ofRun?.isExhausted === true;
    const deadlyRun = isRunDeadly ? { run: blamed.run, failure: explain(ofRun.why) } : null;
    if (isRunDeadly) this.#deaths.recover();
    const verdict = this.#deaths.record(hasBegun);
    return verdict.isExhausted
      ? { consequence, deadlyRun, failure: explain(verdict.why), backOffMs: 0 }
      : { consequence, deadlyRun, failure: null, backOffMs: verdict.backOffMs };
  }
}
