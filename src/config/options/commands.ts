/** Lists of commands that have a setting in common. */

export const startOnly = ['start'] as const;
export const joinOnly = ['join'] as const;
export const startAndJoin = ['start', 'join'] as const;
export const startJoinAndDoctor = ['start', 'join', 'doctor'] as const;
export const startAndSeed = ['start', 'join', 'seed'] as const;
export const startAndCutover = ['start', 'join', 'cutover'] as const;
export const allThatWork = ['start', 'join', 'verify', 'cutover', 'repair'] as const;
export const allThatWorkAndTune = [...allThatWork, 'tune'] as const;
export const startAndPlan = ['start', 'join', 'plan'] as const;
export const allWithWorkers = [...allThatWork, 'doctor'] as const;
export const allThatRead = [
  'start',
  'join',
  'plan',
  'verify',
  'seed',
  'cutover',
  'repair',
  'doctor',
] as const;
export const allOnPostgres = [
  'start',
  'join',
  'verify',
  'status',
  'retry',
  'cutover',
  'repair',
  'doctor',
  'tune',
  'promote',
] as const;
export const allCommands = [...allThatRead, 'status', 'retry', 'tune', 'promote', 'servers'] as const;
export const promoteOnly = ['promote'] as const;
