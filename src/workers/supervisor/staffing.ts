/** Keeps as many workers as the sizing decides, and passes observations to it. */

import type { Clock } from '../../common/clock.ts';
import type { Ack } from '../../observe/ack.ts';
import type { Batch } from '../../source/page.ts';
import type { ActiveRun } from './active-run.ts';
import { countWorkers, creditOf, type Sizing } from './crew.ts';
import { Gauge } from './gauge.ts';
import type { Member } from './member.ts';
import type { Roster } from './roster.ts';
import { Workload } from './workload.ts';

export interface StaffingOptions {
  readonly clock: Clock;
  readonly sizing: Sizing;
  readonly roster: Roster;
  /** Runs that have not ended. */
  readonly runs: Iterable<ActiveRun>;
  /** Whether batches wait that no worker holds. */
  isWaiting(): boolean;
  /** Called when there is capacity for more batches. */
  onGrown(): void;
}

/** How often the crew is checked. */
const checkIntervalMs = 100;

export class Staffing {
  readonly #options: StaffingOptions;
  readonly #gauge: Gauge;
  readonly #workload = new Workload();
  #isOver = false;
  #callOff: () => void = () => undefined;

  constructor(options: StaffingOptions) {
    this.#options = options;
    const { clock } = options;
    this.#gauge = new Gauge(() => clock.nowMs());
  }

  /** Number of workers, including those being replaced; at least one. */
  get size(): number {
    return countWorkers(this.#options.sizing.crew);
  }

  /** How many batches they can hold. */
  get credit(): number {
    const { crew } = this.#options.sizing;
    return countWorkers(crew) * creditOf(crew);
  }

  /** Starts the workers that are needed in any case. */
  begin(): void {
    this.#options.roster.fill(this.#options.sizing.crew);
    this.#lookAgain();
  }

  /** Stops changing the crew. */
  end(): void {
    this.#isOver = true;
    this.#callOff();
  }

  expect(documents: number, bytesPerDocument?: number): void {
    this.#workload.expect(documents, bytesPerDocument);
    this.look();
  }

  submit(run: ActiveRun, batch: Batch): void {
    this.#workload.submit(run, batch);
    this.look();
  }

  hearAck(member: Member, ack: Ack, settled: readonly Batch[]): void {
    member.openConnections = ack.connections;
    const bytes = settled.reduce((sum, batch) => sum + batch.bytes.byteLength, 0);
    this.#gauge.hear(member.worker.id, ack, bytes);
  }

  hearGone({ worker }: Member): void {
    this.#gauge.forget(worker.id);
  }

  replace(member: Member, delayMs: number): void {
    const { roster, sizing } = this.#options;
    roster.replace(member, delayMs, () => sizing.crew);
  }

  look(): void {
    const { clock, sizing, roster, runs } = this.#options;
    if (!sizing.isOpen || this.#isOver) return;
    const { crew } = sizing;
    const staff = roster.members.filter(({ isExiting }) => !isExiting);
    const isComplete = roster.isComplete(crew);
    if (!isComplete) this.#gauge.reset();
    const decided = sizing.decide({
      nowMs: clock.nowMs(),
      hasWork: this.#workload.hasBegun,
      isLarge: this.#workload.isLarge,
      bytesLeft: this.#workload.bytesLeft(runs),
      isComplete,
      isPressed: this.#options.isWaiting() && !staff.some(({ hasCredit }) => hasCredit),
      seen: this.#gauge.look(staff.map(({ worker }) => worker.id)),
    });
    if (decided === crew) return;
    this.#gauge.reset();
    roster.fill(decided);
    this.#options.onGrown();
  }

  #lookAgain(): void {
    const { sizing, clock } = this.#options;
    if (!sizing.isOpen) return;
    this.#callOff = clock.after(checkIntervalMs, () => {
      this.look();
      this.#lookAgain();
    });
  }
}
