/** A process with all that it starts: none of them outlives this process, however that ends. */

import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';

/** On Ctrl-C, SIGTERM, or when its terminal is closed. */
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** @returns its exit code; null when a signal ended it, which may have come by way of this process */
export async function runGroup(
  program: string,
  args: readonly string[],
  options: SpawnOptions,
): Promise<number | null> {
  const leader = spawn(program, args, { ...options, detached: true });
  const ended = once(leader, 'exit') as Promise<[number | null]>;
  const pid = leader.pid;
  // Rejects if it could not be started.
  if (pid === undefined) return (await ended)[0];
  const guard = startGuard(pid);
  const end = (): void => {
    process.kill(-pid, 'SIGKILL');
  };
  for (const signal of signals) process.once(signal, end);
  try {
    const [code] = await ended;
    return code;
  } finally {
    for (const signal of signals) process.off(signal, end);
    await dismiss(guard);
  }
}

/** Kills the group when this process ends, also by SIGKILL: then its end of the pipe is closed without a line. */
function startGuard(group: number): ChildProcess {
  return spawn('sh', ['-c', `read -r line || kill -s KILL -- -${group}`], {
    // Ctrl-C must not end it.
    detached: true,
    stdio: ['pipe', 'ignore', 'inherit'],
  });
}

async function dismiss(guard: ChildProcess): Promise<void> {
  const ended = once(guard, 'exit');
  guard.stdin?.end('\n');
  await ended;
}
