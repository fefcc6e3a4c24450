/** A run is a sequence of phases. The ledger records which are done, so that a resumed run skips them. */

export interface Phase<Account> {
  /** Whether this process has done it, or an earlier one of the run. */
  readonly isDone: boolean;
  /** @returns the account of the phase, when it is done and the ledger knows */
  execute(): Promise<Account>;
}
