/**
 * A process that reaches failpoints as a test says: each line of stdin is `NAME` or `NAME HEX`, answered by a line
 * with the outcome. Ends with stdin.
 */
import { createInterface } from 'node:readline';
import type { FailpointName } from '../../src/common/failpoints/rules.ts';
import { isFailpointActive, reachFailpoint } from '../../src/common/failpoints/failpoints.ts';

for await (const line of createInterface({ input: process.stdin })) {
  const [name, hex] = line.split(' ') as [FailpointName, string?];
  try {
    const bytes = hex === undefined ? undefined : Buffer.from(hex, 'hex');
    const verdict = (await reachFailpoint(name, bytes)) ?? 'nothing';
    console.log(isFailpointActive(name) ? verdict : `${verdict}, not active`);
  } catch (error) {
    console.log(error instanceof Error ? `${error.name}: ${error.message}` : error);
  }
}
