/** What became of tests between an older commit and now, so that lists of both can be compared. */

import { readFileSync } from 'node:fs';
import type { TestCase } from './case-reporter.ts';

/** As in `test/data/case-renames.json`. */
export interface CaseRenames {
  /** The commit whose tests have the old names. */
  readonly base?: string;
  /** The files that the tests of a file are in now. */
  readonly files: Readonly<Record<string, readonly string[]>>;
  /** The new titles of tests and suites; or the new names of tests, with those of the enclosing suites, as lists of tests have them. */
  readonly names: Readonly<Record<string, string>>;
  /** Names of tests that are no more, with the reason. */
  readonly removed: Readonly<Record<string, string>>;
}

export function readRenames(path: string): CaseRenames {
  return JSON.parse(readFileSync(path, 'utf8')) as CaseRenames;
}

type Place = Pick<TestCase, 'file' | 'name'>;

/** Looks up tests by their old places, and knows which of its entries were of use. */
export class RenamedCases {
  readonly #renames: CaseRenames;
  readonly #used = new Set<string>();

  constructor(renames: CaseRenames) {
    this.#renames = renames;
  }

  /** Where a test may be now. */
  placesOf({ file, name }: Place): Place[] {
    const { files, names } = this.#renames;
    const titles = name.split(separator).map((title) => names[title] ?? title);
    const now = names[name] ?? titles.join(separator);
    return (files[file] ?? [file]).map((place) => ({ file: place, name: now }));
  }

  /** The test was found in this file. */
  use({ file, name }: Place, place: string): void {
    this.#used.add(moveEntry(file, place));
    const keys = Object.hasOwn(this.#renames.names, name) ? [name] : name.split(separator);
    for (const key of keys) this.#used.add(nameEntry(key));
  }

  /** @returns undefined if it is not known as removed */
  reasonOf(name: string): string | undefined {
    const reason = this.#renames.removed[name];
    if (reason !== undefined) this.#used.add(removalEntry(name));
    return reason;
  }

  /** Entries that led from no test to a test: they are out of date, or mistyped. */
  listUnused(): string[] {
    const { files, names, removed } = this.#renames;
    const entries = [
      ...Object.entries(files).flatMap(([from, places]) => places.map((place) => moveEntry(from, place))),
      ...Object.keys(names).map(nameEntry),
      ...Object.keys(removed).map(removalEntry),
    ];
    return entries.filter((entry) => !this.#used.has(entry));
  }
}

const separator = ' > ';

function moveEntry(from: string, to: string): string {
  return `files: ${from} → ${to}`;
}

function nameEntry(name: string): string {
  return `names: ${name}`;
}

function removalEntry(name: string): string {
  return `removed: ${name}`;
}
