/** Records a job for its report: a section for each collection, and the notices. */

import { describeEvent } from '../describe-event.ts';
import type { RunEvent } from '../events.ts';
import type { Failure } from '../outcome.ts';
import type { JobListener, ObservedRun } from '../listeners.ts';
import { systemClock, type Clock } from '../../common/clock.ts';
import { redact } from '../../common/redact.ts';
import { FollowRecorder } from './follow-recorder.ts';
import type { Report } from './report.ts';
import { SectionRecorder } from './section-recorder.ts';

/** A limit, because an unstable server may cause notices for days. */
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
        // Otherwise it is the error of the whole job.
        if (event.isAlone) this.#sectionOf(event)?.fail(describeFailure(event));
        return;
      // In the summary, or not part of this process's copy.
      case 'host-waiting':
      case 'host-joined':
      case 'host-left':
      case 'host-merging':
      case 'host-copied':
      case 'host-compared':
      case 'lead-taken':
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

  /** @param failure why the whole job ended early; null if it did not */
  report(failure: string | null): Report {
    for (const section of this.#sections) section.onEnd();
    return {
      writtenAt: new Date(),
      failure,
      notices: this.#notices,
      sections: this.#sections
        .filter(({ belongsInReport }) => belongsInReport)
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
