/**
 * The journal: all writes in order, in files beside the collections, so that they outlive the process. At a start it
 * brings the collections up to date, and gives the oplog its history.
 *
 * A record is what the oplog holds, and, of an update, the whole document after it. Applying a record again changes
 * nothing: the last one of a document wins. So a collection's file may lag behind, and may be rewritten at any time.
 */
import {
  closeSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { join } from 'node:path';
import { rewriteFile } from '../storage/stored-collection.ts';
import type { StoredCollection } from '../storage/stored-collection.ts';
import { writeAll } from '../storage/data-directory.ts';
import { lastTimeOf } from './entry.ts';
import type { OplogEntry } from './entry.ts';
import type { ClusterTime } from './cluster-time.ts';
import type { NewEntry } from './oplog.ts';
import { checkpointRecord, encodeRecord, readRecords } from './record.ts';
import type { JournaledEntry } from './record.ts';

/** An eighth of the history each, so that it is cut in small steps. */
const segmentsOfHistory = 8;
const suffix = '.oplog';

export interface JournalContents {
  readonly history: readonly OplogEntry[];
  /** Of the history: what a clean end did not bring into the collections' files. */
  readonly pending: readonly JournaledEntry[];
  readonly last: ClusterTime;
}

export class Journal {
  readonly #path: string;
  readonly #segmentBytes: number;
  #segments: number[];
  #fd: number;
  #size: number;
  #sizeBefore: number;
  /** The first segment that each collection's file needs, to become what its documents are. */
  readonly #behind = new Map<StoredCollection, number>();

  constructor(path: string, maxBytes: number) {
    this.#path = path;
    this.#segmentBytes = Math.ceil(maxBytes / segmentsOfHistory);
    mkdirSync(path, { recursive: true });
    this.#segments = readdirSync(path)
      .filter((name) => name.endsWith(suffix))
      .map((name) => Number.parseInt(name, 10))
      .filter((number) => Number.isInteger(number))
      .sort((a, b) => a - b);
    if (this.#segments.length === 0) {
      this.#segments.push(1);
    }
    this.#fd = this.#open(this.#current);
    this.#size = fstatSync(this.#fd).size;
    this.#sizeBefore = this.#size;
  }

  /** All that the files hold; a last record that a crash truncated is removed. */
  read(): JournalContents {
    const history: OplogEntry[] = [];
    let pending: JournaledEntry[] = [];
    for (const segment of this.#segments) {
      const bytes = readFileSync(this.#pathOf(segment));
      const end = readRecords(bytes, (record) => {
        if (record === 'checkpoint') {
          pending = [];
        } else {
          history.push(record.entry);
          pending.push(record);
        }
      });
      if (segment === this.#current && end < bytes.length) {
        ftruncateSync(this.#fd, end);
        this.#size = end;
      }
    }
    return { history, pending, last: Math.max(0, ...history.slice(-1).map(lastTimeOf)) };
  }

  /** All of the records or, when that fails, none. */
  append(entries: readonly NewEntry[], afters: readonly (Buffer | undefined)[], first: ClusterTime): void {
    const wallMs = Date.now();
    let time = first;
    const pieces = entries.flatMap((entry, index) => {
      const pieces = encodeRecord({ ...entry, time, wallMs }, afters[index]);
      time += entry.count;
      return pieces;
    });
    this.#write(pieces);
  }

  /** Removes the last records, since their operations failed. */
  undo(): void {
    ftruncateSync(this.#fd, this.#sizeBefore);
    this.#size = this.#sizeBefore;
  }

  /** From now on the collection's file needs the journal. */
  fallBehind(stored: StoredCollection): void {
    this.#needFrom(this.#current, stored);
  }

  /** The collection's file needs all of the journal: an earlier server has not brought it up to date. */
  stayBehind(stored: StoredCollection): void {
    this.#needFrom(this.#segments[0] ?? this.#current, stored);
  }

  /** The collection's file was removed, or is up to date again. */
  forget(stored: StoredCollection): void {
    this.#behind.delete(stored);
  }

  /** Begins a new file when the current one is full, and removes the oldest, once no collection needs it. */
  trim(): void {
    if (this.#size < this.#segmentBytes) {
      return;
    }
    closeSync(this.#fd);
    this.#segments.push(this.#current + 1);
    this.#fd = this.#open(this.#current);
    this.#size = this.#sizeBefore = 0;
    while (this.#segments.length > segmentsOfHistory + 1) {
      const [oldest = 0] = this.#segments;
      for (const [stored, first] of this.#behind) {
        if (first <= oldest) {
          this.#catchUp(stored);
        }
      }
      rmSync(this.#pathOf(oldest), { force: true });
      this.#segments.shift();
    }
  }

  /** Brings all collections' files up to date. */
  checkpoint(): void {
    for (const stored of this.#behind.keys()) {
      this.#catchUp(stored);
    }
    this.#write([checkpointRecord]);
  }

  close(): void {
    closeSync(this.#fd);
  }

  get #current(): number {
    return this.#segments.at(-1) ?? 1;
  }

  #needFrom(segment: number, stored: StoredCollection): void {
    if (!this.#behind.has(stored)) {
      this.#behind.set(stored, segment);
    }
    if (stored.file !== undefined) {
      stored.file.isBehind = true;
    }
  }

  #catchUp(stored: StoredCollection): void {
    rewriteFile(stored);
    this.#behind.delete(stored);
  }

  #write(pieces: readonly Buffer[]): void {
    this.#sizeBefore = this.#size;
    try {
      writeAll(this.#fd, pieces);
      this.#size += pieces.reduce((total, { length }) => total + length, 0);
    } catch (error) {
      ftruncateSync(this.#fd, this.#sizeBefore);
      throw error;
    }
  }

  #open(segment: number): number {
    return openSync(this.#pathOf(segment), 'a+');
  }

  #pathOf(segment: number): string {
    return join(this.#path, `${String(segment).padStart(9, '0')}${suffix}`);
  }
}
