/** Records a job for its report: a section for each collection, and what was said of the whole. */

import type { Failure, RunEvent } from '../events.ts';
import { systemClock, type Clock } from '../pool/clock.ts';
import { redact } from '../redact.ts';
import type { Report } from './report.ts';
import { SectionRecorder, type RecordedRun } from './section-recorder.ts';

/** A server that comes and goes for days says so each time. */
const maxNotices = 100;

export class Recorder {
  readonly #clock: Clock;
  readonly #sections: SectionRecorder[] = [];
  #notices: string[] = [];

  constructor(clock = systemClock) {
    this.#clock = clock;
  }

  /** A run begins; the one before it has ended, one way or the other. */
  begin(run: RecordedRun): SectionRecorder {
    this.#sections.at(-1)?.end();
    const section = new SectionRecorder(run, this.#clock);
    this.#sections.push(section);
    return section;
  }

  onEvent(event: RunEvent): void {
    const section = this.#sections.at(-1);
    switch (event.kind) {
      case 'notice':
        this.#notices = [...this.#notices, redact(event.message)].slice(-maxNotices);
        return;
      case 'started':
        section?.start(event);
        return;
      case 'progress':
        section?.progress(event);
        return;
      case 'finishing':
        section?.finishLoad();
        return;
      case 'summary':
        section?.complete(event);
        return;
      // Told by the summary, or no part of a run.
      case 'index':
      case 'worker-died':
      case 'retried':
      case 'failed':
      case 'verifying':
      case 'verified':
        return;
    }
  }

  /**
   * @param failures of several collections, those that failed
   * @param failure why the job as a whole ended early; null when it did not
   */
  report(failures: readonly Failure[], failure: string | null): Report {
    for (const section of this.#sections) {
      const own = failures.find(({ source }) => source === section.source);
      if (own === undefined) section.end();
      else section.fail(describeFailure(own));
    }
    return {
      writtenAt: new Date(),
      failure,
      notices: this.#notices,
      sections: this.#sections
        .filter(({ isWorthTelling }) => isWorthTelling)
        .map((section) => section.read()),
    };
  }
}

export function describeFailure({ message, fix }: Pick<Failure, 'message' | 'fix'>): string {
  return redact(fix === '' ? message : `${message} — ${fix}`);
}
