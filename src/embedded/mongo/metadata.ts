/** The file `<collection>.metadata.json` that mongodump writes for each collection, of which the UUID is read here. */
import { readFileSync, writeFileSync } from 'node:fs';
import { UUID } from 'bson';
import { hasCode } from '../fs-errors.ts';

/** Gives the collection a new UUID and writes it down. */
export function createMetadata(path: string, collectionName: string): UUID {
  const uuid = new UUID();
  const indexes = [{ v: { $numberInt: '2' }, key: { _id: { $numberInt: '1' } }, name: '_id_' }];
  const metadata = {
    options: {},
    indexes,
    uuid: uuid.toHexString(false),
    collectionName,
    type: 'collection',
  };
  writeFileSync(path, JSON.stringify(metadata));
  return uuid;
}

/** Undefined where there is no such file, or none with a UUID: older ones of ours, a torn write, other programs. */
export function readUuid(path: string): UUID | undefined {
  try {
    const metadata: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (typeof metadata !== 'object' || metadata === null || !('uuid' in metadata)) return undefined;
    return typeof metadata.uuid === 'string' && UUID.isValid(metadata.uuid)
      ? new UUID(metadata.uuid)
      : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}
