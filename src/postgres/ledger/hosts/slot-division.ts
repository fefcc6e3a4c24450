/** How the slots of followed collections are divided among hosts: evenly for each collection, and so that few of them move. */

export interface SlotOwner {
  readonly collectionNo: number;
  readonly slot: number;
  /** Null for one that waits for a host. */
  readonly hostId: string | null;
}

/** A slot, its present owner, and the next one. */
export interface SlotMove extends SlotOwner {
  readonly to: string;
}

/** @param hosts those that can be given slots; what others have is taken from them @returns the slots that change owners */
export function divideSlots(owners: readonly SlotOwner[], hosts: readonly string[]): SlotMove[] {
  if (hosts.length === 0) return [];
  const collectionNos = new Set(owners.map(({ collectionNo }) => collectionNo));
  return [...collectionNos].flatMap((collectionNo) =>
    divideCollection(
      owners.filter((slot) => slot.collectionNo === collectionNo),
      hosts,
    ),
  );
}

function divideCollection(slots: readonly SlotOwner[], hosts: readonly string[]): SlotMove[] {
  const kept = new Map<string, SlotOwner[]>(hosts.map((host) => [host, []]));
  const free: SlotOwner[] = [];
  for (const slot of slots) ((slot.hostId === null ? undefined : kept.get(slot.hostId)) ?? free).push(slot);
  const share = Math.floor(slots.length / hosts.length);
  const larger = slots.length % hosts.length;
  // Who has most keeps the larger share.
  const shares = [...kept.entries()]
    .sort(([, a], [, b]) => b.length - a.length)
    .map(([host, own], place) => ({ host, own, size: share + (place < larger ? 1 : 0) }));
  for (const { own, size } of shares) free.push(...own.splice(size));
  return shares.flatMap(({ host, own, size }) =>
    free.splice(0, size - own.length).map((slot) => ({ ...slot, to: host })),
  );
}
