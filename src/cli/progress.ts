/** Shows the progress of a run: a spinner on a terminal, plain lines elsewhere, JSON lines if asked for. */

import { describeEvent } from '../observe/describe-event.ts';
import type { ProgressEvent, RunEvent } from '../observe/events.ts';
import type { JobListener } from '../observe/listeners.ts';
import type { Output } from './output.ts';
import { redact } from '../common/redact.ts';

/** Often enough to see that it works, seldom enough for a log file. */
const plainLineEveryMs = 2_000;

/** Slower than the spinner turns, so that the text does not flicker. */
const spinnerTextEveryMs = 100;

export interface Progress extends JobListener {
  readonly onEvent: (event: RunEvent) => void;
  /** A step outside a run, such as the start of a server. */
  readonly say: (message: string) => void;
  /** Ends the display; call nothing after it. */
  readonly close: () => void;
}

export async function createProgress(isJson: boolean, output: Output): Promise<Progress> {
  if (isJson) return createJsonProgress(output);
  // Some terminals report a width of 0. The spinner would divide by it, and clear lines for ever.
  const hasWidth = output.stderr.isTTY === true && (output.stderr.columns ?? 0) > 0;
  return hasWidth ? await createSpinnerProgress(output) : createPlainProgress(output);
}

/** Writes every event as one JSON line on standard output. */
function createJsonProgress(output: Output): Progress {
  return {
    onEvent: (event) => {
      output.printJson(event);
    },
    say: (message) => {
      output.printJson({ kind: 'notice', message });
    },
    close: () => undefined,
  };
}

/** The collections in progress, each with its latest progress event. */
class Underway {
  readonly #latest = new Map<string, ProgressEvent | null>();

  get isEmpty(): boolean {
    return this.#latest.size === 0;
  }

  begin(source: string): void {
    this.#latest.set(source, null);
  }

  update(event: ProgressEvent): void {
    this.#latest.set(event.source, event);
  }

  end(source: string): void {
    this.#latest.delete(source);
  }

  /** A line for each that has an event; with its name if there are several. */
  describe(): string[] {
    return [...this.#latest.values()].flatMap((event) => (event === null ? [] : [this.#describe(event)]));
  }

  /** As `describe`, for one. */
  describeOne(source: string): string[] {
    const event = this.#latest.get(source) ?? null;
    return event === null ? [] : [this.#describe(event)];
  }

  #describe(event: ProgressEvent): string {
    return `${this.#latest.size > 1 ? `${event.source}: ` : ''}${describeEvent(event) ?? ''}`;
  }
}

async function createSpinnerProgress(output: Output): Promise<Progress> {
  const { default: ora } = await import('ora');
  // The command handles Ctrl-C itself, so ora must leave stdin alone.
  const spinner = ora({ stream: output.stderr, discardStdin: false });
  const underway = new Underway();
  let line = '';
  const timer = setInterval(() => {
    if (line !== '') spinner.text = line;
  }, spinnerTextEveryMs);
  const print = (message: string): void => {
    // `info` ends the spinner's line.
    const wasSpinning = spinner.isSpinning;
    spinner.info(redact(message));
    if (wasSpinning) spinner.start(line);
  };
  const end = (source: string): void => {
    underway.end(source);
    if (underway.isEmpty) spinner.stop();
  };
  return {
    say: print,
    onEvent: (event) => {
      const text = describeEvent(event);
      switch (event.kind) {
        case 'started':
        case 'verifying':
          underway.begin(event.source);
          line = text ?? '';
          spinner.start(line);
          return;
        case 'progress':
          underway.update(event);
          line = underway.describeOne(event.source).join();
          return;
        case 'finishing':
        case 'index':
          line = text ?? '';
          spinner.text = line;
          return;
        case 'following':
          if (!spinner.isSpinning) spinner.start(text ?? '');
          line = text ?? '';
          return;
        case 'cut-over':
          spinner.stop();
          if (text !== null) output.say(text);
          return;
        case 'summary':
        case 'verified':
          end(event.source);
          return;
        case 'failed':
          end(event.source);
          if (text !== null) output.say(text);
          return;
        case 'notice':
        case 'skipped':
        case 'worker-died':
        case 'retried':
        case 'host-waiting':
        case 'host-joined':
        case 'lead-taken':
        case 'host-left':
        case 'host-merging':
          if (text !== null) output.say(text);
          return;
        case 'host-copied':
        case 'host-compared':
          end(event.source);
          if (text !== null) output.say(text);
          return;
      }
    },
    close: () => {
      clearInterval(timer);
      spinner.stop();
    },
  };
}

function createPlainProgress(output: Output): Progress {
  const underway = new Underway();
  /** The latest state of following, and the last one printed: a state that does not change is printed once. */
  let following: string | null = null;
  let said: string | null = null;
  const timer = setInterval(() => {
    for (const line of underway.describe()) output.say(line);
    if (following !== null && following !== said) output.say(following);
    said = following;
  }, plainLineEveryMs);
  /** Prints the final progress, and ends the collection. */
  const tellLast = (source: string): void => {
    for (const line of underway.describeOne(source)) output.say(line);
    underway.end(source);
  };
  return {
    say: (message) => {
      output.say(message);
    },
    onEvent: (event) => {
      if (event.kind === 'progress') {
        underway.update(event);
        return;
      }
      if (event.kind === 'following') {
        following = describeEvent(event);
        return;
      }
      if (event.kind === 'started' || event.kind === 'verifying') underway.begin(event.source);
      if (event.kind === 'finishing' || event.kind === 'verified') tellLast(event.source);
      if (event.kind === 'host-copied' || event.kind === 'host-compared') tellLast(event.source);
      if (event.kind === 'failed') underway.end(event.source);
      const text = describeEvent(event);
      if (text !== null) output.say(text);
    },
    close: () => {
      clearInterval(timer);
    },
  };
}
