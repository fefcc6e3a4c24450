import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { divideSlots, type SlotOwner } from '../../../../../src/postgres/ledger/hosts/slot-division.ts';
import fc from '../../../../support/fast-check.ts';

const slotsOf = (collectionNo: number, owners: readonly (string | null)[]): SlotOwner[] =>
  owners.map((hostId, slot) => ({ collectionNo, slot, hostId }));

/** How many of its slots each host has. */
function countOf(slots: readonly SlotOwner[], hosts: readonly string[]): number[] {
  return hosts.map((host) => slots.filter(({ hostId }) => hostId === host).length);
}

function move(slots: readonly SlotOwner[], hosts: readonly string[]): SlotOwner[] {
  const moves = divideSlots(slots, hosts);
  return slots.map((slot) => {
    const found = moves.filter((one) => one.collectionNo === slot.collectionNo && one.slot === slot.slot);
    assert.ok(found.length <= 1);
    assert.ok(found.every(({ hostId, to }) => hostId === slot.hostId && to !== hostId));
    return { ...slot, hostId: found[0]?.to ?? slot.hostId };
  });
}

describe('the slots of followed collections', () => {
  it('are given to the only host there is, and left where they are without any', () => {
    assert.deepEqual(countOf(move(slotsOf(1, [null, null, 'gone']), ['a']), ['a']), [3]);
    assert.deepEqual(divideSlots(slotsOf(1, [null, 'gone']), []), []);
  });

  it('move only as far as a host that came, or went, makes it necessary', () => {
    const alone = slotsOf(1, Array<string>(64).fill('a'));
    assert.equal(divideSlots(alone, ['a', 'b']).length, 32);
    const two = move(alone, ['a', 'b']);
    assert.deepEqual(divideSlots(two, ['a', 'b']), []);
    assert.equal(divideSlots(two, ['a', 'b', 'c']).length, 21);
    assert.equal(divideSlots(two, ['b']).length, 32);
  });

  it('are shared evenly, whoever had them, and then stay', () => {
    const owner = fc.constantFrom(null, 'a', 'b', 'c', 'gone');
    const hosts = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1 });
    const collections = fc.array(fc.array(owner, { minLength: 1, maxLength: 70 }), { maxLength: 3 });
    fc.assert(
      fc.property(collections, hosts, (ofEach, live) => {
        const after = move(
          ofEach.flatMap((owners, index) => slotsOf(index + 1, owners)),
          live,
        );
        for (const [index, owners] of ofEach.entries()) {
          const counts = countOf(
            after.filter(({ collectionNo }) => collectionNo === index + 1),
            live,
          );
          assert.equal(
            counts.reduce((sum, count) => sum + count, 0),
            owners.length,
          );
          assert.ok(Math.max(...counts) - Math.min(...counts) <= 1, counts.join());
        }
        assert.deepEqual(divideSlots(after, live), []);
      }),
    );
  });
});
