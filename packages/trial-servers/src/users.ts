/** Makes users that look real and are the same every time. */

import type { User } from '../../../src/cli/users/user.ts';
import { UsageError } from '../../../src/common/errors.ts';

/** An arbitrary fixed number. */
const seed = 20_240_101;

/** Fixed ends, so that the dates do not depend on the day of the run. */
const createdFrom = new Date('2015-01-01T00:00:00Z');
const createdTo = new Date('2025-01-01T00:00:00Z');

const { base, en, Faker } = await importFaker();
const faker = new Faker({ locale: [en, base] });

/** Users `firstId` to `firstId + count - 1`. The same arguments give the same users. */
export function makeUsers(firstId: number, count: number): User[] {
  faker.seed(seed + firstId);
  return Array.from({ length: count }, (_, index) => {
    const firstName = faker.person.firstName();
    const lastName = faker.person.lastName();
    return {
      id: firstId + index,
      username: faker.internet.username({ firstName, lastName }),
      email: faker.internet.email({ firstName, lastName }),
      age: faker.number.int({ min: 18, max: 90 }),
      createdAt: faker.date.between({ from: createdFrom, to: createdTo }),
    };
  });
}

async function importFaker(): Promise<typeof import('@faker-js/faker')> {
  try {
    return await import('@faker-js/faker');
  } catch (error) {
    throw new UsageError('@faker-js/faker, which makes the users, is not installed', {
      code: 'FAKER_NOT_INSTALLED',
      fix: 'install the development dependencies: npm ci.',
      cause: error,
    });
  }
}
