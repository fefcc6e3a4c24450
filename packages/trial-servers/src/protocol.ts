/** The messages between a command and the host process of an embedded server. */
import type { WireError } from '../../../src/common/errors.ts';
import type { HostRole } from './host-lock.ts';

export type ServerKind = 'postgres' | 'mongo';

export interface StartMessage {
  readonly kind: 'start';
  readonly server: ServerKind;
  readonly home: string;
  readonly role: HostRole;
  /** How much history a MongoDB keeps. */
  readonly oplogBytes: number | undefined;
}

export type MessageToHost = StartMessage | { readonly kind: 'stop' };

export type MessageFromHost =
  /** Something the user should know, such as where the data is kept. */
  | { readonly kind: 'notice'; readonly message: string }
  /** Another live host has the directory; see its lock. */
  | { readonly kind: 'busy' }
  | { readonly kind: 'started'; readonly port: number }
  | { readonly kind: 'failed'; readonly error: WireError };
