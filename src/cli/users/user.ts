/** A user of the sample data. */

export interface User {
  readonly id: number;
  readonly username: string;
  readonly email: string;
  readonly age: number;
  readonly createdAt: Date;
}
