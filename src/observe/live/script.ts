/**
 * The script of the live page, as text. It shows each state that arrives. Names are inserted as text, never as HTML. It is
 * part of the page exactly as it is here, so it is not compiled; the test runs it in a browser.
 */

export const script = `
'use strict';
const find = (id) => document.getElementById(id);
const count = (value) => Math.round(value).toLocaleString('en-US');
const percent = (share) => Math.round(share * 100) + '%';
const seconds = (ms) => {
  const whole = Math.round(ms / 1000);
  if (whole < 60) return whole + ' s';
  if (whole < 3600) return Math.floor(whole / 60) + ' min ' + (whole % 60) + ' s';
  return Math.floor(whole / 3600) + ' h ' + Math.floor((whole % 3600) / 60) + ' min';
};
const make = (name, text = '', className = '') =>
  Object.assign(document.createElement(name), { textContent: text, className });
const withChildren = (element, children) => {
  element.append(...children);
  return element;
};

const drawTable = (table, header, rows) => {
  const head = withChildren(make('tr'), header.map((name) => Object.assign(make('th', name), { scope: 'col' })));
  table.replaceChildren(withChildren(make('thead'), [head]), withChildren(make('tbody'), rows));
};

const drawCollection = (collection, isFollowing) => {
  const { source, table, state, documents, expectedDocuments, perSecond, deadLettered, changes, reason } = collection;
  const name = withChildren(make('td', source, 'name'), [make('small', table === null ? '' : '→ ' + table)]);
  const bar = make('progress');
  bar.max = Math.max(1, expectedDocuments, documents);
  bar.value = documents;
  const share = expectedDocuments > 0 ? ' ' + percent(Math.min(1, documents / expectedDocuments)) : '';
  const left = expectedDocuments - documents;
  const isReading = state === 'loading' || state === 'verifying';
  // This process does not know what another one has copied.
  const isCopiedHere = expectedDocuments > 0 || documents > 0;
  const cells = [
    name,
    withChildren(make('td', state), [make('small', reason ?? '')]),
    withChildren(make('td'), isCopiedHere ? [bar, make('span', share)] : []),
    make('td', isCopiedHere ? count(documents) + ' / ' + count(expectedDocuments) : ''),
  ];
  if (isFollowing) {
    for (const kind of ['waiting', 'inserted', 'updated', 'deleted'])
      cells.push(make('td', changes === null ? '' : count(changes[kind])));
  } else {
    cells.push(
      make('td', perSecond > 0 ? count(perSecond) + '/s' : ''),
      make('td', isReading && left > 0 && perSecond > 0 ? seconds((left * 1000) / perSecond) : ''),
      make('td', count(deadLettered)),
    );
  }
  return withChildren(make('tr'), cells);
};

const drawFollowing = (following, isOver) => {
  find('following').hidden = following === null;
  if (following === null) return;
  const { obstacles, isCutOver } = following;
  const can = obstacles.length === 0;
  const title = find('cut-over');
  title.textContent = isCutOver ? 'Cut over' : (isOver ? 'Could cut over: ' : 'Can cut over: ') + (can ? 'yes' : 'no');
  title.className = can || isCutOver ? 'good' : 'bad';
  find('obstacles').replaceChildren(...(isCutOver ? [] : obstacles).map((text) => make('li', text)));
};

const drawFigures = (state) => {
  const { elapsedMs, history, deadLettered, dropped, inFlightBatches, inFlightBytes, following } = state;
  const figures = [['Time', seconds(elapsedMs), '']];
  if (following === null) {
    figures.push(
      ['Documents a second', count(history.documentsPerSecond.at(-2) ?? history.documentsPerSecond.at(-1) ?? 0), ''],
      ['In flight', count(inFlightBatches), (inFlightBytes / 1e6).toFixed(1) + ' MB'],
    );
  } else {
    const { lagMs, waiting, changesPerSecond, refused, documentsMerged, oplogWindowMs, unverified } = following;
    figures.push(
      ['Lag', lagMs === 0 ? 'caught up' : seconds(lagMs), ''],
      ['Changes waiting', count(waiting), refused > 0 ? count(refused) + ' rejected for now' : ''],
      ['Changes a second', count(changesPerSecond), count(documentsMerged) + ' merged'],
    );
    if (unverified !== null) figures.push(['To compare again', count(unverified), 'before a cutover']);
    if (oplogWindowMs !== null) figures.push(['History of the server', seconds(oplogWindowMs), '']);
  }
  figures.push(['Dead letters', count(deadLettered), '']);
  if (dropped > 0) figures.push(['Dropped', count(dropped), 'by the transform, in the copy']);
  find('figures').replaceChildren(...figures.map(([name, value, note]) => {
    const amount = withChildren(make('dd', value + ' '), [make('small', note)]);
    return withChildren(make('div'), [make('dt', name), amount]);
  }));
};

const drawWorkers = (workers, more, following) => {
  // While following, workers report no times, and would look idle.
  find('workers').hidden = following !== null;
  if (following !== null) {
    find('more-workers').textContent = count(following.liveWorkers) + ' of ' + count(following.workers) + ' live';
    return;
  }
  const rows = workers.map(({ id, isAlive, batches, documents, busyShare }) => {
    const cells = [id, isAlive ? percent(busyShare) : 'ended', count(batches), count(documents)];
    return withChildren(make('tr', '', isAlive ? '' : 'gone'), cells.map((text) => make('td', text)));
  });
  drawTable(find('workers'), ['worker', 'busy, of the last 10 s', 'batches copied', 'documents'], rows);
  find('more-workers').textContent = more > 0 ? 'and ' + count(more) + ' more' : '';
};

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim();
const moment = (value) => seconds(value * 1000);
const charts = new Map();
const drawChart = (id, names, data) => {
  const figure = find(id);
  const width = Math.max(200, figure.clientWidth);
  const chart = charts.get(id);
  if (chart !== undefined) {
    if (chart.width !== width) chart.setSize({ width, height: 200 });
    chart.setData(data);
    return;
  }
  const axis = { stroke: color('soft'), grid: { stroke: color('rule') }, ticks: { stroke: color('rule') } };
  const tones = ['first', 'second'];
  charts.set(id, new uPlot({
    width, height: 200,
    scales: { x: { time: false }, y: { range: (self, min, max) => [0, Math.max(1, max * 1.1)] } },
    axes: [
      { ...axis, values: (self, ticks) => ticks.map(moment), space: 80 },
      { ...axis, size: 64, values: (self, ticks) => ticks.map((value) => value.toLocaleString('en-US')) },
    ],
    series: [
      { label: 'at', value: (self, value) => value === null ? '–' : moment(value) },
      ...names.map((label, index) => ({
        label, stroke: color(tones[index]), width: 1.6,
        value: (self, value) => value === null ? '–' : value.toLocaleString('en-US'),
      })),
    ],
  }, data, figure));
};
const drawHistory = ({ intervalMs, documentsPerSecond, changesPerSecond, lagSeconds, journalRows }, isFollowing) => {
  // First, because it changes the layout.
  for (const id of ['lag', 'journal']) find(id).hidden = !isFollowing;
  const moments = documentsPerSecond.map((_, index) => ((index + 0.5) * intervalMs) / 1000);
  drawChart('speed', ['documents/s', 'changes/s'], [moments, documentsPerSecond, changesPerSecond]);
  if (!isFollowing) return;
  drawChart('lag', ['seconds behind'], [moments, lagSeconds]);
  drawChart('journal', ['changes'], [moments, journalRows]);
};

const setState = (text, className) => {
  find('state').textContent = text;
  find('state').className = 'state ' + className;
};
const describe = ({ collections, following, end }) => {
  if (end !== null) return end === '' ? ['ended', 'good'] : [end, 'bad'];
  if (following?.isCutOver) return ['cut over', 'good'];
  if (following !== null) return [following.lagMs === 0 ? 'caught up' : seconds(following.lagMs) + ' behind', 'good'];
  const at = collections.find(({ state }) => ['loading', 'verifying', 'building keys and indexes'].includes(state));
  return [at?.state ?? 'running', 'neutral'];
};

const show = (state) => {
  const { collections, moreCollections, workers, moreWorkers, following, notices, history, end } = state;
  const isFollowing = following !== null;
  setState(...describe(state));
  const places = isFollowing ? following.source : collections.slice(0, 3).map(({ source }) => source).join(', ');
  find('place').textContent = places;
  document.title = 'mongo2pg: ' + find('state').textContent + (places === '' ? '' : ' · ' + places);
  drawFollowing(following, end !== null);
  drawFigures(state);
  drawHistory(history, isFollowing);
  const header = ['collection', 'state', 'copied', 'documents'];
  drawTable(
    find('collections'),
    [...header, ...(isFollowing ? ['waiting', 'inserted', 'updated', 'deleted'] : ['speed', 'left', 'dead letters'])],
    collections.map((collection) => drawCollection(collection, isFollowing)),
  );
  find('more-collections').textContent = moreCollections > 0 ? 'and ' + count(moreCollections) + ' more' : '';
  drawWorkers(workers, moreWorkers, following);
  find('notices').hidden = notices.length === 0;
  find('notices').querySelector('ul').replaceChildren(...notices.map((text) => make('li', text)));
};

const events = new EventSource('events');
events.onmessage = ({ data }) => show(JSON.parse(data));
events.addEventListener('end', ({ data }) => {
  events.close();
  show(JSON.parse(data));
});
events.onerror = () => setState('no connection: the command has ended, or cannot be reached', 'bad');
`;
