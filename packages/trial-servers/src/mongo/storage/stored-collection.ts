/** A collection with all that is kept of it: its documents in memory, its file, its name and its settings. */
import { readInt32 } from '../../../../../src/bson/raw-value.ts';
import type { Collection } from './collection.ts';
import type { CollectionFile } from './data-directory.ts';
import { isDocument } from './metadata.ts';
import type { KeptDocument, Metadata } from './metadata.ts';
import type { Place } from './place.ts';
import { RunList } from './runs.ts';

/** A collection and its file; the file is undefined when nothing is to be kept. */
export interface StoredCollection {
  metadata: Metadata;
  documents: Collection;
  readonly file: CollectionFile | undefined;
  /** Its present name, as in the oplog. */
  place: Place;
  /** Whether documents before and after changes are kept for change streams. */
  keepsImages: boolean;
  /** What will be left of the documents once writes are rolled back; undefined when none is to be. */
  majority: Collection | undefined;
  /** Whether the write that is being done is one that will be rolled back. */
  isRolledBack: boolean;
}

/** In the file first, so that a full disk leaves both as they were. */
export function changeIndexes(stored: StoredCollection, indexes: readonly KeptDocument[]): void {
  const metadata = { ...stored.metadata, indexes };
  stored.file?.saveMetadata(metadata);
  stored.metadata = metadata;
}

export function changeOptions(stored: StoredCollection, options: KeptDocument): void {
  const metadata = { ...stored.metadata, options };
  stored.file?.saveMetadata(metadata);
  stored.metadata = metadata;
  stored.keepsImages = areImagesKept(metadata);
}

/** Has the file hold what the collection does. */
export function rewriteFile({ documents, majority, file }: StoredCollection): void {
  const all = new RunList();
  for (const { bytes, start } of (majority ?? documents).scan()) {
    all.add(bytes, start, readInt32(bytes, start));
  }
  file?.rewrite(all);
}

/** Whether its settings ask for what change streams show of a document before and after a change. */
export function areImagesKept({ options }: Metadata): boolean {
  const { changeStreamPreAndPostImages: images } = options;
  return isDocument(images) && images.enabled === true;
}
