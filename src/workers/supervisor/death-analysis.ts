/** Decides whether a worker's death fails a run or all workers. */

import { ExitCode, MigrationError } from '../../common/errors.ts';
import { DeathBudget } from './death-budget.ts';
import type { ActiveRun } from './active-run.ts';
import type { InFlight } from './in-flight.ts';

export interface Death {
  readonly id: string;
  /** For people. */
  readonly how: string;
  /** Whether it had been ready for batches. */
  readonly hasBegun: boolean;
  /** The batches that it held. */
  readonly entries: readonly InFlight[];
}

export interface Finding {
  /** A run whose batches have killed too many workers, with the error. */
  readonly poisonedRun: { readonly run: ActiveRun; readonly failure: MigrationError } | null;
  /** Set if too many have died and no batch is to blame: no worker can continue. */
  readonly failure: MigrationError | null;
  /** Pause before it is replaced. */
  readonly backOffMs: number;
}

export class DeathAnalysis {
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
    const [only] = entries.length === 1 ? entries : [];
    const blamed = only?.run.isOver === false ? only : undefined;
    const ofRun = blamed?.run.deaths.record(true);
    const isRunDeadly = blamed !== undefined && ofRun?.isExhausted === true;
    const poisonedRun = isRunDeadly ? { run: blamed.run, failure: explain(ofRun.why) } : null;
    if (isRunDeadly) this.#deaths.recover();
    const verdict = this.#deaths.record(hasBegun);
    return verdict.isExhausted
      ? { poisonedRun, failure: explain(verdict.why), backOffMs: 0 }
      : { poisonedRun, failure: null, backOffMs: verdict.backOffMs };
  }
}
