/** The events of a dry run. */

/** A finding of a dry run. */
export type DryRunEvent =
  | {
      readonly kind: 'dry-run-server';
      readonly target: string;
      readonly version: string;
      readonly connectionsLeft: number;
    }
  | {
      readonly kind: 'dry-run-collection';
      readonly source: string;
      /** What a start would do, for people. */
      readonly decision: string;
      /** What a new run would create. */
      readonly statements: readonly string[];
      readonly notices: readonly string[];
      readonly documents: number;
      /** The estimated size of the rows and their primary key, by a sample; null if nothing would be copied. */
      readonly estimatedBytes: number | null;
    }
  | {
      readonly kind: 'dry-run-script';
      readonly setting: 'BEFORE_SQL' | 'AFTER_SQL';
      /** What a start would do with it, for people. */
      readonly decision: string;
    }
  /** One of several collections that a start would refuse or skip. */
  | {
      readonly kind: 'dry-run-failure';
      readonly source: string;
      /** Null if it is skipped without an error. */
      readonly code: string | null;
      readonly message: string;
      readonly fix: string;
    };
