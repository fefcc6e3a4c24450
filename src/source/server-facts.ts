/** Facts about a server, for people only: they do not change how it is read. */

export type Topology = 'standalone server' | 'replica set' | 'sharded cluster';

export interface ServerFacts {
  /** The product and its version, such as `MongoDB 7.0.5`. */
  readonly product: string;
  readonly topology: Topology;
  /** The number of data-bearing members of a replica set; null if the server names none. */
  readonly hostCount: number | null;
  /** The median of several requests. */
  readonly roundTripMs: number;
  /** For a replica set; null if the user may not see it. */
  readonly history: History | null;
}

/** The size of the oplog. When it is full, the oldest entries are removed. */
export interface History {
  readonly bytes: number;
  readonly maxBytes: number;
}
