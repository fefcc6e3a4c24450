/** Records a job for its report: a section for each collection, and what was said of the whole. */

import { describeEvent } from '../describe-event.ts';
import type { Failure, RunEvent } from '../events.ts';
import type { JobListener, ObservedRun } from '../listeners.ts';
import { systemClock, type Clock } from '../../common/clock.ts';
import { redact } from '../../common/redact.ts';
import { FollowRecorder } from './follow-recorder.ts';
import type { Report } from './report.ts';
import { SectionRecorder } from './section-recorder.ts';

/** A server that comes and goes for days says so each time. */
const maxNotices = 100;

export class Recorder implements JobListener {
  readonly #clock: Clock;
  /** In the order in which the runs began. */
  readonly #sections: SectionRecorder[] = [];
  #following: FollowRecorder | undefined;
  #notices: string[] = [];

  constructor(clock = systemClock) {
    this.#clock = clock;
  }

  onRun(run: ObservedRun): SectionRecorder {
    const section = new SectionRecorder(run, this.#clock);
    this.#sections.push(section);
    return section;
  }

  onEvent(event: RunEvent): void {
    switch (event.kind) {
      case 'notice':
      case 'skipped':
      case 'worker-died':
      case 'retried':
        this.#note(event);
        return;
      case 'started':
        this.#sectionOf(event)?.start(event);
        return;
      case 'progress':
        this.#sectionOf(event)?.progress(event);
        return;
      case 'finishing':
        this.#sectionOf(event)?.finishLoad();
        return;
      case 'summary':
        this.#sectionOf(event)?.complete(event);
        return;
      case 'failed':
        this.#note(event);
        // Else it is why the job ends.
        if (event.isAlone) this.#sectionOf(event)?.fail(describeFailure(event));
        return;
      // Told by the summary, or no part of a run.
      case 'index':
      case 'verifying':
      case 'verified':
        return;
      case 'following':
        if (this.#following === undefined) this.#following = new FollowRecorder(this.#clock, event);
        else this.#following.update(event);
        return;
      case 'cut-over':
        this.#following?.cutOver();
        return;
    }
  }

  /** @param failure why the job as a whole ended early; null when it did not */
  report(failure: string | null): Report {
    for (const section of this.#sections) section.onEnd();
    return {
      writtenAt: new Date(),
      failure,
      notices: this.#notices,
      sections: this.#sections
        .filter(({ isWorthTelling }) => isWorthTelling)
        .map((section) => section.read()),
      following: this.#following?.read() ?? null,
    };
  }

  #note(event: RunEvent): void {
    const line = describeEvent(event);
    if (line !== null) this.#notices = [...this.#notices, redact(line)].slice(-maxNotices);
  }

  #sectionOf({ source }: { readonly source: string }): SectionRecorder | undefined {
    return this.#sections.findLast((section) => section.source === source);
  }
}

export function describeFailure({ message, fix }: Pick<Failure, 'message' | 'fix'>): string {
  return redact(fix === '' ? message : `${message} — ${fix}`);
}
