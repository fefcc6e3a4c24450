/** The names of fields, in the core. */

import type { Core } from './module.ts';

/** The core does not support the plan, which is not a failure. */
export class UnsuitedPlan extends Error {}

/** More than this in an embedded document is rare. */
const maxNestedNames = 128;

/** The names of one level of documents, in the core. */
export class CoreNames {
  readonly names: number;
  /** The path of each from the document of the row, as it is counted. */
  readonly texts = new Map<number, string>();
  readonly #core: Core;
  readonly #capacity: number;
  readonly #prefix: string;
  readonly #known = new Map<string, number>();
  /** The names inside these. */
  readonly #inside = new Map<string, CoreNames>();

  /** @param prefix the path of their document, with a dot after it. @throws UnsuitedPlan */
  constructor(core: Core, capacity: number, prefix = '') {
    this.#core = core;
    this.#capacity = capacity;
    this.#prefix = prefix;
    // Differs, so that no collection can be made of names that all fall into one place.
    this.names = placed(core.addNames(capacity, Math.floor(Math.random() * 2 ** 32)));
  }

  get hasRoom(): boolean {
    return this.#known.size < this.#capacity;
  }

  /** Returns the same number for the same name. @throws UnsuitedPlan if there is no room */
  add(text: string): number {
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    if (!this.hasRoom) throw new UnsuitedPlan();
    const core = this.#core;
    const bytes = Buffer.from(`${text}\0`);
    const name = placed(core.makeName(bytes.length));
    Buffer.from(core.memory.buffer).set(bytes, core.nameBytes(name));
    core.placeName(this.names, name);
    this.#known.set(text, name);
    this.texts.set(name, `${this.#prefix}${text}`);
    return name;
  }

  /** A name that no field has. @param text for what is counted by it */
  addUnseen(text: string): number {
    const name = placed(this.#core.makeName(1));
    this.texts.set(name, text);
    return name;
  }

  /** The same for a name that was met. False if the core has no memory for it. */
  learn(text: string): boolean {
    try {
      this.add(text);
      return true;
    } catch (error) {
      if (error instanceof UnsuitedPlan) return false;
      throw error;
    }
  }

  /** The name at the end of a path, through names inside of names. @throws UnsuitedPlan */
  addPath([first = '', ...rest]: readonly string[]): number {
    const name = this.add(first);
    if (rest.length === 0) return name;
    let inside = this.#inside.get(first);
    if (inside === undefined) {
      inside = new CoreNames(this.#core, maxNestedNames);
      this.#inside.set(first, inside);
      this.#core.nestNames(name, inside.names);
    }
    return inside.addPath(rest);
  }
}

/** @throws UnsuitedPlan if the core had no room */
export function placed(number: number): number {
  if (number === 0) throw new UnsuitedPlan();
  return number;
}
