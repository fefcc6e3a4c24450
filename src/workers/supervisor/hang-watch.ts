/** Finds workers that give no heartbeat any more. */

import type { Clock } from '../../common/clock.ts';
import type { Member } from './member.ts';
import { heartbeatIntervalMs } from '../protocol.ts';

export interface HangWatchOptions {
  readonly clock: Clock;
  /** A worker that sends nothing for so long hangs. */
  readonly timeoutMs: number;
  members(): Iterable<Member>;
  /** Called once for each worker that hangs. */
  onHung(member: Member): void;
}

export class HangWatch {
  readonly #options: HangWatchOptions;
  #cancel: () => void = () => undefined;

  constructor(options: HangWatchOptions) {
    this.#options = options;
  }

  /** Checks periodically, until `end`. */
  begin(): void {
    const { clock, timeoutMs } = this.#options;
    const dueMs = clock.nowMs() + heartbeatIntervalMs;
    this.#cancel = clock.after(heartbeatIntervalMs, () => {
      const nowMs = clock.nowMs();
      // This process itself was suspended. Messages that workers sent meanwhile are not read yet.
      const wasAway = nowMs - dueMs > timeoutMs / 2;
      for (const member of this.#options.members()) {
        if (wasAway) member.lastHeardMs = nowMs;
        if (member.isHung || nowMs - member.lastHeardMs < timeoutMs) continue;
        member.isHung = true;
        this.#options.onHung(member);
      }
      this.begin();
    });
  }

  end(): void {
    this.#cancel();
  }
}
