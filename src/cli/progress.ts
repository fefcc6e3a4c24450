/** Shows a run while it goes: a spinner on a terminal, plain lines elsewhere, JSON lines when asked for. */

import { describeEvent } from '../observe/describe-event.ts';
import type { ProgressEvent, RunEvent } from '../observe/events.ts';
import type { JobListener } from '../observe/listeners.ts';
import type { Output } from './output.ts';
import { redact } from '../common/redact.ts';

/** Often enough to see that it lives, seldom enough for a log file. */
const plainLineEveryMs = 2_000;

/** As often as the spinner turns would only flicker. */
const spinnerTextEveryMs = 100;

export interface Progress extends JobListener {
  readonly onEvent: (event: RunEvent) => void;
  /** A step outside a run, such as the start of a server. */
  readonly say: (message: string) => void;
  /** Ends the display; nothing is shown after it. */
  readonly close: () => void;
}

export async function createProgress(isJson: boolean, output: Output): Promise<Progress> {
  if (isJson) return createJsonProgress(output);
  // A terminal that does not know its width says 0, by which the spinner would divide its lines, and clear them for ever.
  const hasWidth = output.stderr.isTTY === true && (output.stderr.columns ?? 0) > 0;
  return hasWidth ? await createSpinnerProgress(output) : createPlainProgress(output);
}

/** Every event as one line on standard output, as it is. */
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

/** The collections that are under way, each with what it told last of its progress. */
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

  /** A line for each that has told something; with its name where there are several. */
  describe(): string[] {
    return [...this.#latest.values()].flatMap((event) => (event === null ? [] : [this.#describe(event)]));
  }

  /** As `describe`, of one. */
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
  // The run decides what Ctrl-C does, so that stdin stays as it is.
  const spinner = ora({ stream: output.stderr, discardStdin: false });
  const underway = new Underway();
  let line = '';
  const timer = setInterval(() => {
    if (line !== '') spinner.text = line;
  }, spinnerTextEveryMs);
  const tell = (message: string): void => {
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
    say: tell,
    onEvent: (event) => {
      const told = describeEvent(event);
      switch (event.kind) {
        case 'started':
        case 'verifying':
          underway.begin(event.source);
          line = told ?? '';
          spinner.start(line);
          return;
        case 'progress':
          underway.update(event);
          line = underway.describeOne(event.source).join();
          return;
        case 'finishing':
        case 'index':
          line = told ?? '';
          spinner.text = line;
          return;
        case 'following':
          if (!spinner.isSpinning) spinner.start(told ?? '');
          line = told ?? '';
          return;
        case 'cut-over':
          spinner.stop();
          if (told !== null) output.say(told);
          return;
        case 'summary':
        case 'verified':
          end(event.source);
          return;
        case 'failed':
          end(event.source);
          if (told !== null) output.say(told);
          return;
        case 'notice':
        case 'skipped':
        case 'worker-died':
        case 'retried':
          if (told !== null) output.say(told);
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
  /** How following stands, and what was said of it last: a log of days is not filled with what does not change. */
  let following: string | null = null;
  let said: string | null = null;
  const timer = setInterval(() => {
    for (const line of underway.describe()) output.say(line);
    if (following !== null && following !== said) output.say(following);
    said = following;
  }, plainLineEveryMs);
  /** All of it was told, and how it stands now is the last of it. */
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
      if (event.kind === 'failed') underway.end(event.source);
      const told = describeEvent(event);
      if (told !== null) output.say(told);
    },
    close: () => {
      clearInterval(timer);
    },
  };
}
