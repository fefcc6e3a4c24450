/** A reporter for Node's runner: a line of JSON for each test, as `test-cases.ts` reads them. */

import { relative, sep } from 'node:path';
import process from 'node:process';
import type { TestEvent } from 'node:test/reporters';

/** A test that ran. */
export interface TestCase {
  /** The source that has it, from the checkout's folder. */
  readonly file: string;
  /** The names of the enclosing suites, and its own. */
  readonly name: string;
  readonly outcome: 'passed' | 'failed' | 'skipped';
  readonly ms: number;
}

export default async function* reportCases(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  /** The names of the open tests, from the outermost to the innermost. */
  const names: string[] = [];
  for await (const event of events) {
    if (event.type === 'test:start') names.splice(event.data.nesting, names.length, event.data.name);
    if (event.type !== 'test:pass' && event.type !== 'test:fail') continue;
    const { nesting, file, name, details, skip } = event.data;
    // A suite is not a test.
    if (details.type === 'suite') continue;
    const failedOr = event.type === 'test:fail' ? 'failed' : 'passed';
    const line: TestCase = {
      file: sourceOf(file ?? ''),
      name: [...names.slice(0, nesting), name].join(' > '),
      outcome: skip === undefined ? failedOr : 'skipped',
      ms: Math.round(details.duration_ms),
    };
    yield `${JSON.stringify(line)}\n`;
  }
}

function sourceOf(file: string): string {
  return relative(process.cwd(), file)
    .split(sep)
    .join('/')
    .replace(/^dist\//, '')
    .replace(/\.js$/, '.ts');
}
