/** Shows a run while it goes: a spinner on a terminal, plain lines elsewhere, JSON lines when asked for. */

import type { ProgressEvent, RunEvent } from './events.ts';
import { describeIndex } from './summary.ts';
import { printJson, say } from './output.ts';
import { redact } from './redact.ts';
import { formatCount, formatDuration, formatMegabytes, formatPlural } from './format.ts';

/** Often enough to see that it lives, seldom enough for a log file. */
const plainLineEveryMs = 2_000;

/** As often as the spinner turns would only flicker. */
const spinnerTextEveryMs = 100;

export interface Progress {
  readonly show: (event: RunEvent) => void;
  /** A step outside a run, such as the start of a server. */
  readonly say: (message: string) => void;
  /** Ends the display; nothing is shown after it. */
  readonly close: () => void;
}

export async function createProgress(isJson: boolean): Promise<Progress> {
  if (isJson) return createJsonProgress();
  // A terminal that does not know its width says 0, by which the spinner would divide its lines, and clear them for ever.
  const hasWidth = process.stderr.isTTY && process.stderr.columns > 0;
  return hasWidth ? await createSpinnerProgress() : createPlainProgress();
}

/** Every event as one line on standard output, as it is. */
function createJsonProgress(): Progress {
  return {
    show: printJson,
    say: (message) => {
      printJson({ kind: 'notice', message });
    },
    close: () => undefined,
  };
}

async function createSpinnerProgress(): Promise<Progress> {
  const { default: ora } = await import('ora');
  // The run decides what Ctrl-C does, so that stdin stays as it is.
  const spinner = ora({ stream: process.stderr, discardStdin: false });
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
  let total = 0;
  return {
    say: tell,
    show: (event) => {
      switch (event.kind) {
        case 'notice':
          tell(event.message);
          return;
        case 'started':
          total = event.expectedDocuments;
          line = describeStart(event);
          spinner.start(line);
          return;
        case 'progress':
          line = describeProgress(event, total);
          return;
        case 'finishing':
          line = 'building the primary key';
          spinner.text = line;
          return;
        case 'worker-died':
        case 'retried':
        case 'failed':
          return;
        case 'index':
          line = `${event.source}: ${describeIndex(event)}`;
          spinner.text = line;
          return;
        case 'verifying':
          total = event.expectedDocuments;
          line = describeVerifying(event);
          spinner.start(line);
          return;
        case 'summary':
        case 'verified':
          spinner.stop();
          return;
      }
    },
    close: () => {
      clearInterval(timer);
      spinner.stop();
    },
  };
}

function createPlainProgress(): Progress {
  let total = 0;
  let latest: ProgressEvent | undefined;
  const timer = setInterval(() => {
    if (latest !== undefined) say(describeProgress(latest, total));
  }, plainLineEveryMs);
  return {
    say,
    show: (event) => {
      switch (event.kind) {
        case 'notice':
          say(event.message);
          return;
        case 'started':
          total = event.expectedDocuments;
          say(describeStart(event));
          return;
        case 'progress':
          latest = event;
          return;
        case 'finishing':
          if (latest !== undefined) say(describeProgress(latest, total));
          latest = undefined;
          say('building the primary key');
          return;
        case 'worker-died':
        case 'retried':
        case 'failed':
          return;
        case 'index':
          say(`${event.source}: ${describeIndex(event)}`);
          return;
        case 'verifying':
          total = event.expectedDocuments;
          say(describeVerifying(event));
          return;
        case 'summary':
          return;
        case 'verified':
          if (latest !== undefined) say(describeProgress(latest, total));
          latest = undefined;
          return;
      }
    },
    close: () => {
      clearInterval(timer);
    },
  };
}

function describeStart(event: Extract<RunEvent, { kind: 'started' }>): string {
  const { source, plan, expectedDocuments, workers } = event;
  const documents = formatPlural(expectedDocuments, 'document');
  return `${source} → ${plan.schema}.${plan.table}: ${documents}, ${formatPlural(workers, 'worker')}`;
}

function describeVerifying({
  source,
  table,
  run,
  workers,
}: Extract<RunEvent, { kind: 'verifying' }>): string {
  return `comparing ${source} with ${table}, as ${run} has copied it; ${formatPlural(workers, 'worker')}`;
}

function describeProgress(event: ProgressEvent, total: number): string {
  const { documents, committedBefore, bytes, elapsedMs, workers } = event;
  // What an earlier process has done says nothing of the speed of this one.
  const done = documents - committedBefore;
  const bytesDone = documents === 0 ? 0 : (bytes * done) / documents;
  const perSecond = (amount: number): number => (amount * 1000) / elapsedMs;
  const share = total > 0 ? ` (${Math.min(100, Math.floor((documents * 100) / total))}%)` : '';
  const left = total - documents;
  const eta = left > 0 && done > 0 ? `ETA ${formatDuration((left * elapsedMs) / done)}` : 'ETA 0 s';
  return [
    `${formatCount(documents)} / ${formatCount(total)} documents${share}`,
    `${formatCount(perSecond(done))} docs/s`,
    `${formatMegabytes(perSecond(bytesDone))}/s`,
    eta,
    formatPlural(workers, 'worker'),
  ].join(' · ');
}
