/**
 * By what a driver tells news of a server from what it knew: which process it is, and how often its state has changed. That
 * of this server never does.
 * https://github.com/mongodb/specifications/blob/master/source/server-discovery-and-monitoring/server-monitoring.md
 */
import { Long, ObjectId } from 'bson';
import { findField } from '../../match/bson-view.ts';
import type { CommandReader } from './command-reader.ts';

export interface TopologyVersion {
  readonly processId: ObjectId;
  readonly counter: Long;
}

export function createTopologyVersion(): TopologyVersion {
  return { processId: new ObjectId(), counter: Long.ZERO };
}

/** Errors that tell a change of a server's state carry its version: that it is no primary, or is shutting down. */
const stateChangeCodes = new Set([91, 189, 10058, 10107, 11600, 11602, 13435, 13436]);

export function isStateChange(code: number): boolean {
  return stateChangeCodes.has(code);
}

const processIdName = Buffer.from('processId');

/** How long a hello is to wait for news; 0 when it asks for none, or there are some: it knows another process. */
export function awaitedMs(command: CommandReader, { processId }: TopologyVersion): number {
  const known = command.rawDocument('topologyVersion');
  const maxAwaitMs = command.count('maxAwaitTimeMS');
  if (known === undefined || maxAwaitMs === undefined) return 0;
  const id = findField(known.bytes, known.start, processIdName);
  const isKnown =
    id !== undefined && Buffer.compare(known.bytes.subarray(id.start, id.end), processId.id) === 0;
  return isKnown ? maxAwaitMs : 0;
}
