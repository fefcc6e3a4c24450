/**
 * An `npm` that runs each script of package.json by npm once, and from then on its command directly: npm takes a quarter of a second of
 * a core, and the documents call it a hundred times. All other commands of npm are always its own.
 */

import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Commands without words of the shell. */
const simple = /^[\w./ -]+$/;

/**
 * Writes it into a folder that comes first in the PATH.
 * @param used a folder that records which scripts npm has run
 */
export async function writeQuickNpm(
  folder: string,
  used: string,
  scripts: Readonly<Record<string, string>>,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  await mkdir(used, { recursive: true });
  const cases = Object.entries(scripts)
    .filter(([, command]) => simple.test(command))
    .map(([name, command]) => `    ${name}) command='${command}' ;;`);
  const path = join(folder, 'npm');
  await writeFile(
    path,
    `#!/bin/bash
words=("$@") name= command=
case "$1" in
  start | test) name=$1; shift ;;
  run) shift; [ "$1" = -s ] || [ "$1" = --silent ] && shift; name=$1; shift ;;
esac
if [ $# = 0 ] || [ "$1" = -- ]; then
  case "$name" in
${cases.join('\n')}
  esac
fi
if [ -z "$command" ] || mkdir '${used}'/"$name" 2>/dev/null; then
  PATH=\${PATH#*:} exec npm "\${words[@]}"
fi
[ $# = 0 ] || shift
exec $command "$@"
`,
  );
  await chmod(path, 0o755);
}
