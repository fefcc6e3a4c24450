/**
 * The tests that MongoDB's drivers share. They have their own licence, and are not part of this repository:
 * TEST_DRIVERS_TESTS names a folder that has them, such as `scripts/servers/drivers-tests.sh` prints.
 * Source: https://github.com/mongodb/specifications
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const given = process.env.TEST_DRIVERS_TESTS;
// Empty when they could not be downloaded.
const folder = given === '' ? undefined : given;

/** The reason to skip them, or false. */
export const skipDriversTests =
  folder === undefined && 'TEST_DRIVERS_TESTS does not name a folder with the tests of the drivers';

/** The texts of the JSON files of one subject, such as `bson-corpus`, by their names; none where there is no folder. */
export function readDriversTests(subject: string): Map<string, string> {
  if (folder === undefined) return new Map();
  const path = join(folder, subject);
  const names = readdirSync(path).filter((name) => name.endsWith('.json'));
  return new Map(names.map((name) => [name, readFileSync(join(path, name), 'utf8')]));
}
