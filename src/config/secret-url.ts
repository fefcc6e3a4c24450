/** A URL that may contain a password. However it is printed, the password is hidden. */

import { inspect } from 'node:util';
import { redactUrl } from '../common/redact.ts';

export class SecretUrl {
  /** Private, so that neither `console.log` nor `JSON.stringify` prints it. */
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** The URL with its password: for a driver, never for output. */
  reveal(): string {
    return this.#text;
  }

  /** Whether it equals `text`: a URL, or the word `embedded`. */
  is(text: string): boolean {
    return this.#text === text;
  }

  toString(): string {
    return redactUrl(this.#text);
  }

  toJSON(): string {
    return this.toString();
  }

  [inspect.custom](): string {
    return `SecretUrl(${this.toString()})`;
  }
}

/** A string in a worker, because messages to it carry no class instances. */
export type Url = string | SecretUrl;

export function reveal(url: Url): string {
  return typeof url === 'string' ? url : url.reveal();
}

export const noUrl = new SecretUrl('');
