/** A URL that may hold a password: it is shown without, however a setting or an error is printed. */

import { inspect } from 'node:util';
import { redactUrl } from '../common/redact.ts';

export class SecretUrl {
  /** Private, so that neither `console.log` nor `JSON.stringify` finds it. */
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** The URL as it was given: for a driver, and for nothing that is shown. */
  reveal(): string {
    return this.#text;
  }

  /** Whether it is this word in place of a URL, or this URL. */
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

/** In a worker it is a text: an object does not cross to it. */
export type Url = string | SecretUrl;

export function reveal(url: Url): string {
  return typeof url === 'string' ? url : url.reveal();
}

export const noUrl = new SecretUrl('');
