import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { countFloors, findComponents, groupBy } from '../../../../scripts/structure/graph.ts';
import {
  findArrowsUp,
  findCircles,
  findLargeFolders,
  findMutualFolders,
} from '../../../../scripts/structure/rules.ts';

const graphOf = (arrows: Readonly<Record<string, string[]>>): Map<string, string[]> =>
  new Map(Object.entries(arrows));

describe('a graph', () => {
  it('has its components with what is imported first', () => {
    const graph = graphOf({ a: ['b'], b: ['c', 'd'], c: ['b'], d: [], e: ['e'] });
    assert.deepEqual(findComponents(graph), [['d'], ['b', 'c'], ['a'], ['e']]);
  });

  it('finds a circle behind one that was walked before', () => {
    const graph = graphOf({ a: ['b'], b: ['c'], c: ['a', 'd'], d: ['e'], e: ['d'] });
    assert.deepEqual(
      findComponents(graph).map((each) => each.toSorted()),
      [
        ['d', 'e'],
        ['a', 'b', 'c'],
      ],
    );
  });

  it('has as many floors as its longest chain, a circle being one of them', () => {
    assert.equal(countFloors(graphOf({})), 0);
    assert.equal(countFloors(graphOf({ a: ['b', 'd'], b: ['c'], c: ['b', 'd'], d: [] })), 3);
  });

  it('is grouped without arrows inside of a group', () => {
    const graph = graphOf({ 'x/a': ['x/b', 'y/c'], 'x/b': ['y/c'], 'y/c': [] });
    const groups = groupBy(graph, (node) => node.charAt(0));
    assert.deepEqual(
      [...groups],
      [
        ['x', ['y']],
        ['y', []],
      ],
    );
  });
});

describe('the rules of the structure', () => {
  it('find imports that point up, or to an entry without a place in the order', () => {
    const graph = graphOf({
      'cli/main.ts': ['run/job.ts', 'common/errors.ts'],
      'run/job.ts': ['cli/main.ts', 'run/run.ts'],
      'run/run.ts': ['elsewhere/x.ts'],
      'common/errors.ts': [],
      'elsewhere/x.ts': [],
    });
    assert.deepEqual(findArrowsUp(graph), ['run/job.ts → cli/main.ts', 'run/run.ts → elsewhere/x.ts']);
  });

  it('find circles of files and folders that import each other', () => {
    const graph = graphOf({ 'a/1.ts': ['b/1.ts'], 'b/1.ts': [], 'b/2.ts': ['a/2.ts'], 'a/2.ts': [] });
    assert.deepEqual(findCircles(graph), []);
    assert.deepEqual(findMutualFolders(graph), [['a', 'b']]);
    assert.deepEqual(
      findCircles(graphOf({ a: ['b'], b: ['a'], c: [] })),
      [['b', 'a']].map((each) => each.toSorted()),
    );
  });

  it('find folders with too many files', () => {
    const files = Array.from({ length: 26 }, (_, index): [string, string[]] => [`a/${index}.ts`, []]);
    assert.deepEqual(findLargeFolders(new Map(files)), [['a', 26]]);
    assert.deepEqual(findLargeFolders(new Map(files.slice(1))), []);
  });
});
