/** The cycles of a graph, and its number of levels. */

export type Graph = ReadonlyMap<string, readonly string[]>;

/**
 * Strongly connected components, those that are imported before those that import them.
 * https://en.wikipedia.org/wiki/Tarjan%27s_strongly_connected_components_algorithm
 */
export function findComponents(graph: Graph): string[][] {
  const components: string[][] = [];
  const indices = new Map<string, number>();
  const lowLinks = new Map<string, number>();
  const stack: string[] = [];
  const visit = (node: string): number => {
    const index = indices.size;
    indices.set(node, index);
    stack.push(node);
    let lowest = index;
    for (const next of graph.get(node) ?? []) {
      if (!indices.has(next)) lowest = Math.min(lowest, visit(next));
      else if (stack.includes(next)) lowest = Math.min(lowest, indices.get(next) ?? lowest);
    }
    lowLinks.set(node, lowest);
    if (lowest === index) components.push(stack.splice(stack.indexOf(node)));
    return lowest;
  };
  for (const node of graph.keys()) if (!indices.has(node)) visit(node);
  return components;
}

/** How many components the longest chain of arrows passes through. */
export function countFloors(graph: Graph): number {
  const floors = new Map<string, number>();
  for (const component of findComponents(graph)) {
    const below = component.flatMap((node) => graph.get(node) ?? []).map((node) => floors.get(node) ?? 0);
    const floor = 1 + Math.max(0, ...below);
    for (const node of component) floors.set(node, floor);
  }
  return Math.max(0, ...floors.values());
}

/** The graph of groups of nodes, without arrows inside of a group. */
export function groupBy(graph: Graph, groupOf: (node: string) => string): Graph {
  const groups = new Map<string, Set<string>>();
  for (const [node, targets] of graph) {
    const group = groups.get(groupOf(node)) ?? new Set<string>();
    groups.set(groupOf(node), group);
    for (const target of targets) if (groupOf(target) !== groupOf(node)) group.add(groupOf(target));
  }
  return new Map([...groups].map(([group, targets]) => [group, [...targets]]));
}
