/** Acks as a worker sends them, for tests of their receivers. */

import type { Ack } from '../../src/observe/ack.ts';

/** An ack of a single document that took no time. */
export function createAck(changes: Partial<Ack> = {}): Ack {
  return {
    isDuplicate: false,
    documentCount: 1,
    copied: 1,
    deadLettered: 0,
    dropped: 0,
    addedRows: 0,
    transcodeMs: 0,
    loadMs: 0,
    stalledMs: 0,
    connections: 1,
    steps: { claimMs: 0, copyMs: 0, commitMs: 0 },
    arrival: { startedAtMs: 0, ipcMs: 0, idleMs: 0, handOverMs: 0 },
    memoryBytes: 1,
    peakMemoryBytes: 1,
    ...changes,
  };
}
