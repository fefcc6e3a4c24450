/**
 * The script of the report, as text. It shows the numbers at the time that the reader points at, or chooses with a slider.
 * The page is complete without it. It is part of the page exactly as it is here, so it is not compiled; the test runs it in
 * a browser.
 */

export const script = `
const format = (value) => value.toLocaleString('en-US', { maximumFractionDigits: value < 100 ? 1 : 0 });
for (const section of document.querySelectorAll('section[data-interval]')) {
  const intervalMs = Number(section.dataset.interval);
  const endMs = Number(section.dataset.end);
  const slider = Object.assign(document.createElement('input'), {
    type: 'range', min: '0', max: String(Math.max(0, Math.ceil(endMs / intervalMs) - 1)), value: '0',
  });
  const moment = document.createElement('output');
  const figures = [...section.querySelectorAll('figure.plot')].map((figure) => {
    const svg = figure.querySelector('svg');
    const readout = figure.querySelector('.readout');
    const data = figure.parentElement.querySelector(':scope > script.data');
    return {
      svg, readout, digest: readout.textContent,
      left: Number(svg.dataset.left), span: Number(svg.dataset.span), cursor: svg.querySelector('.cursor'),
      data: data === null ? null : JSON.parse(data.textContent),
    };
  });
  const show = (index) => {
    const middleMs = Math.min(endMs, (index + 0.5) * intervalMs);
    moment.textContent = 'at ' + (middleMs / 1000).toFixed(2) + ' s';
    slider.value = String(index);
    for (const { readout, left, span, cursor, data } of figures) {
      const x = left + (span * middleMs) / endMs;
      cursor.setAttribute('x1', x);
      cursor.setAttribute('x2', x);
      cursor.setAttribute('visibility', 'visible');
      if (data === null) continue;
      // Lines of the same tone are shown as a range, from the lowest to the highest.
      const tones = new Map();
      for (const { name, tone, values } of data.lines) {
        const value = values[index];
        if (value == null) continue;
        const { low, high } = tones.get(tone) ?? { low: value, high: value };
        tones.set(tone, { name: tones.has(tone) ? 'workers' : name, low: Math.min(low, value), high: Math.max(high, value) });
      }
      readout.textContent = [...tones.values()].map(({ name, low, high }) => {
        const amount = low === high ? format(low) : format(low) + '–' + format(high);
        return (data.lines.length > 1 ? name + ' ' : '') + amount + ' ' + data.unit;
      }).join(', ') || '–';
    }
  };
  const hide = () => {
    moment.textContent = '';
    for (const { readout, digest, cursor } of figures) {
      cursor.setAttribute('visibility', 'hidden');
      readout.textContent = digest;
    }
  };
  for (const { svg, left, span } of figures) {
    svg.addEventListener('pointermove', (event) => {
      const box = svg.getBoundingClientRect();
      const x = ((event.clientX - box.left) * svg.viewBox.baseVal.width) / box.width;
      const share = Math.min(0.9999, Math.max(0, (x - left) / span));
      show(Math.floor((share * endMs) / intervalMs));
    });
    svg.addEventListener('pointerleave', hide);
  }
  slider.addEventListener('input', () => show(Number(slider.value)));
  slider.addEventListener('blur', hide);
  const label = document.createElement('label');
  label.className = 'moment';
  label.append('Moment ', slider, ' ', moment);
  section.querySelector('.plots').before(label);
}
`;
