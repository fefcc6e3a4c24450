/** A headless browser: opens a page, runs expressions in it, and records its requests and errors. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import type { TestContext } from 'node:test';
import { pathToFileURL } from 'node:url';
import { cleanUp, makeDirectory } from './embedded.ts';

const names = ['chromium', 'chromium-browser', 'google-chrome'];

/** Why a test that needs a browser is skipped; false when there is one. */
export const noBrowser: string | false =
  findBrowser() === undefined ? `none of ${names.join(', ')} is on the PATH` : false;

export interface OpenPage {
  /** The value of a JavaScript expression, which must be JSON. */
  evaluate<T>(expression: string): Promise<T>;
  /** Moves the mouse over the middle of the first element of the selector. */
  pointAt(selector: string): Promise<void>;
  /** Every URL that the page requested, including its own. */
  readonly requests: readonly string[];
  /** Exceptions, and whatever the console shows. */
  readonly complaints: readonly string[];
}

/** Opens a file, or a URL; resolves when all of it is loaded and its scripts have run. */
export async function openInBrowser(t: TestContext, place: string | URL): Promise<OpenPage> {
  const { send, on } = await startBrowser(t);
  const requests: string[] = [];
  const complaints: string[] = [];
  on('Network.requestWillBeSent', ({ request }) => requests.push((request as { url: string }).url));
  for (const kind of ['Runtime.exceptionThrown', 'Runtime.consoleAPICalled', 'Log.entryAdded']) {
    on(kind, (event) => complaints.push(JSON.stringify(event)));
  }
  for (const domain of ['Page', 'Runtime', 'Log', 'Network']) await send(`${domain}.enable`, {});
  const loaded = new Promise<unknown>((resolve) => {
    on('Page.loadEventFired', resolve);
  });
  const { href } = typeof place === 'string' ? pathToFileURL(place) : place;
  await send('Page.navigate', { url: href });
  await loaded;
  const evaluate = async <T>(expression: string): Promise<T> => {
    const { result, exceptionDetails } = await send('Runtime.evaluate', { expression, returnByValue: true });
    if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
    return (result as { value: T }).value;
  };
  const pointAt = async (selector: string): Promise<void> => {
    const [x, y] = await evaluate<[number, number]>(
      `(() => {
        const element = document.querySelector(${JSON.stringify(selector)});
        element.scrollIntoView({ block: 'center' });
        const { left, top, width, height } = element.getBoundingClientRect();
        return [left + width / 2, top + height / 2];
      })()`,
    );
    await send('Input.dispatchMouseEvent', { type: 'mouseMoved', x, y });
  };
  return { evaluate, pointAt, requests, complaints };
}

type Params = Readonly<Record<string, unknown>>;

/** A session with an empty page, over the DevTools protocol: JSON messages that end with NUL, on two pipes. */
async function startBrowser(t: TestContext): Promise<{
  readonly send: (method: string, params: Params) => Promise<Params>;
  readonly on: (method: string, listener: (params: Params) => void) => void;
}> {
  const profile = await makeDirectory(t);
  const child = spawn(
    findBrowser() ?? '',
    [
      ...['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-dev-shm-usage'],
      ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
      ...[`--user-data-dir=${profile}`, '--remote-debugging-pipe', 'about:blank'],
    ],
    { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] },
  );
  const gone = once(child, 'exit');
  cleanUp(t, async () => {
    child.kill('SIGKILL');
    await gone;
  });
  const input = child.stdio[3] as Writable;
  const output = child.stdio[4] as Readable;
  const answers = new Map<number, (message: Message) => void>();
  const listeners = new Map<string, (params: Params) => void>();
  let rest = '';
  output.setEncoding('utf8').on('data', (text: string) => {
    const messages = (rest + text).split('\0');
    rest = messages.pop() ?? '';
    for (const line of messages) {
      const message = JSON.parse(line) as Message;
      if (message.id !== undefined) answers.get(message.id)?.(message);
      else listeners.get(message.method ?? '')?.(message.params ?? {});
    }
  });
  let last = 0;
  /** Empty until there is a session. */
  const route: { sessionId?: unknown } = {};
  const send = async (method: string, params: Params): Promise<Params> => {
    const id = ++last;
    const answer = new Promise<Message>((resolve) => answers.set(id, resolve));
    input.write(`${JSON.stringify({ id, method, params, ...route })}\0`);
    const { result, error } = await answer;
    if (result === undefined) throw new Error(`${method}: ${JSON.stringify(error)}`);
    return result;
  };
  const { targetId } = await send('Target.createTarget', { url: 'about:blank' });
  const { sessionId } = await send('Target.attachToTarget', { targetId, flatten: true });
  route.sessionId = sessionId;
  return { send, on: (method, listener) => listeners.set(method, listener) };
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Params;
  readonly result?: Params;
  readonly error?: unknown;
}

function findBrowser(): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return names
    .flatMap((name) => folders.map((folder) => join(folder, name)))
    .find((file) => existsSync(file));
}
