/** A run is a sequence of phases. The ledger records which are done, so that a resumed run skips them. */

export interface Phase<Account> {
  /** Whether the phase is done, by this process or an earlier one. */
  readonly isDone: boolean;
  /** @returns the account of the phase, once it is recorded as done */
  execute(): Promise<Account>;
}
