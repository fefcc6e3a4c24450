/** Names the MongoDB version of a server that the driver does not support. The driver reports only the wire version. */

/**
 * The first MongoDB of each wire version, the latest first.
 * https://github.com/mongodb/specifications/blob/master/source/wireversion-featurelist/wireversion-featurelist.md
 */
const releases: readonly (readonly [wireVersion: number, release: string])[] = [
  [25, '8.0'],
  [21, '7.0'],
  [17, '6.0'],
  [13, '5.0'],
  [9, '4.4'],
  [8, '4.2'],
  [7, '4.0'],
  [6, '3.6'],
  [5, '3.4'],
  [4, '3.2'],
  [3, '3.0'],
];

export interface VersionTrouble {
  readonly code: string;
  readonly message: string;
  readonly fix: string;
}

/**
 * @param text the driver's message
 * @param where the server's host
 * @returns null if it is about something else
 */
export function explainWireVersion(text: string, where: string): VersionTrouble | null {
  const old = /reports (?:maximum )?wire version (\d+),.* at least \d+ \(MongoDB ([\d.]+)\)/.exec(text);
  if (old !== null) {
    const [, wireVersion = '', needed = ''] = old;
    return {
      code: 'SERVER_TOO_OLD',
      message: `MongoDB at ${where} is ${nameRelease(wireVersion)} (wire version ${wireVersion}), and ${needed} or newer is needed`,
      fix: 'upgrade the server, or copy from a dump of it (mongodump): --source DUMP.',
    };
  }
  const recent =
    /(?:reports minimum|requires) wire version (\d+),.* (?:at most|up to) \d+ \(MongoDB ([\d.]+)\)/.exec(
      text,
    );
  if (recent === null) return null;
  const [, wireVersion = '', known = ''] = recent;
  return {
    code: 'SERVER_TOO_NEW',
    message: `MongoDB at ${where} needs wire version ${wireVersion}, and ${known} is the latest that this version supports`,
    fix: 'update mongo2pg.',
  };
}

function nameRelease(wireVersion: string): string {
  const found = releases.find(([first]) => first <= Number(wireVersion));
  return found === undefined ? 'older than 3.0' : `version ${found[1]}`;
}
