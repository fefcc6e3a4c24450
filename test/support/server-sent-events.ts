/** Reads server-sent events over plain HTTP. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';

export interface ServerSent {
  readonly name: string;
  readonly data: string;
}

export interface Watching {
  readonly response: IncomingMessage;
  /** The next event; undefined when the server has ended the stream. */
  readonly next: () => Promise<ServerSent | undefined>;
}

export async function watchEvents(url: string): Promise<Watching> {
  const [response] = (await once(get(url), 'response')) as [IncomingMessage];
  assert.equal(response.statusCode, 200);
  const events = readEvents(response);
  return {
    response,
    next: async () => {
      const { value, done } = await events.next();
      return done === true ? undefined : value;
    },
  };
}

async function* readEvents(response: IncomingMessage): AsyncGenerator<ServerSent, undefined> {
  let rest = '';
  response.setEncoding('utf8');
  for await (const part of response) {
    const blocks = (rest + String(part)).split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      yield {
        name: /^event: (.*)$/m.exec(block)?.[1] ?? 'message',
        data: /^data: (.*)$/m.exec(block)?.[1] ?? '',
      };
    }
  }
  return undefined;
}
