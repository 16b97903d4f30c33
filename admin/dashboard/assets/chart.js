// Draws a <figure class="chart" data-chart> over its own table, which stays for those
// who read tables. Its first column is the step (data-at), every other one a series:
// <th data-series="1" data-dashed data-format="money" data-currency="USD">. Cells have
// their value in data-v. A series that is data-off is shown once it is chosen.
import { el, money, number } from './ui.js';

const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const drawn = new Set();

export function enhance(root = document) {
  for (const figure of root.querySelectorAll('figure[data-chart]:not([data-drawn])')) {
    figure.dataset.drawn = '';
    drawn.add(figure);
    draw(figure);
  }
}

function read(figure) {
  const table = figure.querySelector('table');
  const heads = [...table.tHead.rows[0].cells].slice(1);
  const rows = [...table.tBodies[0].rows];
  const series = heads.map((head, i) => ({
    label: head.textContent.trim(), dashed: 'dashed' in head.dataset, color: head.dataset.series, format: head.dataset.format, currency: head.dataset.currency,
    group: head.dataset.group || '', values: rows.map((row) => row.cells[i + 1].dataset.v === undefined ? null : Number(row.cells[i + 1].dataset.v)),
    texts: rows.map((row) => row.cells[i + 1].textContent.trim()),
  }));
  return { labels: rows.map((row) => row.cells[0].textContent.trim()), series };
}

function draw(figure) {
  const data = read(figure);
  const canvas = figure.querySelector('.chart-canvas');
  const groups = [...new Set(data.series.map((s) => s.group))];
  const shown = groups.includes(figure.dataset.group) ? figure.dataset.group : groups[0];
  const series = data.series.filter((s) => s.group === shown);
  canvas.replaceChildren();
  const legend = figure.querySelector('.chart-legend');
  const keys = series.map((s) => el('span', {}, el('i', { class: `key series-${s.color}${s.dashed ? ' dashed' : ''}` }), s.label, el('b')));
  const when = el('span');
  legend.replaceChildren(...keys, when);
  const write = (s, value) => s.format === 'money' ? money(value.toFixed(0), s.currency) : number(value);
  const colors = series.map((s) => style('--series-' + s.color));
  const axis = { stroke: style('--soft'), font: `11.5px ${style('--sans')}`, grid: { stroke: style('--line'), width: 1 }, ticks: { show: false } };
  const plot = new uPlot({
    width: canvas.clientWidth, height: canvas.clientHeight, legend: { show: false },
    padding: [10, 8, 0, 0],
    cursor: { points: { size: 7, fill: style('--surface') }, x: true, y: false, drag: { x: false, y: false } },
    scales: { x: { time: false, range: (u, low, high) => [low - .02 * (high - low || 1), high + .02 * (high - low || 1)] }, y: { range: (u, low, high) => [0, high > 0 ? high * 1.08 : 1] } },
    axes: [
      { ...axis, grid: { show: false }, size: 30, space: 64, incrs: [1, 2, 3, 4, 6, 7, 14, 28, 56], values: (u, ticks) => ticks.map((t) => Number.isInteger(t) ? data.labels[t] ?? '' : '') },
      { ...axis, size: 58, space: 44, values: (u, ticks) => ticks.map((t) => Number.isInteger(t) || series[0].format === 'money' ? write(series[0], t) : '') },
    ],
    series: [{}, ...series.map((s, i) => ({
      stroke: colors[i], width: s.dashed ? 1.25 : 2, dash: s.dashed ? [4, 4] : undefined, alpha: s.dashed ? .75 : 1,
      fill: s.dashed ? undefined : (u) => shade(u, colors[i]), points: { show: data.labels.length < 3 }, spanGaps: false,
    }))],
    hooks: { setCursor: [(u) => {
      const at = u.cursor.idx;
      keys.forEach((key, i) => { key.querySelector('b').textContent = at == null ? '' : series[i].texts[at]; });
      when.textContent = at == null ? '' : data.labels[at];
    }] },
  }, [data.labels.map((_, i) => i), ...series.map((s) => s.values)], canvas);
  figure.plot = plot;
  plot.root.setAttribute('aria-hidden', 'true');
}

function shade(u, color) {
  const gradient = u.ctx.createLinearGradient(0, u.bbox.top, 0, u.bbox.top + u.bbox.height);
  gradient.addColorStop(0, `color-mix(in srgb, ${color} 16%, transparent)`);
  gradient.addColorStop(1, `color-mix(in srgb, ${color} 0%, transparent)`);
  return gradient;
}

document.addEventListener('click', (event) => {
  const button = event.target.closest('[data-chart-group]');
  if (!button) return;
  const figure = document.getElementById(button.dataset.chartFor);
  for (const other of button.parentElement.children) other.setAttribute('aria-pressed', String(other === button));
  figure.dataset.group = button.dataset.chartGroup;
  draw(figure);
});

let redraw;
const later = () => { clearTimeout(redraw); redraw = setTimeout(() => drawn.forEach(draw), 80); };
let width = innerWidth;
addEventListener('resize', () => { if (innerWidth !== width) { width = innerWidth; later(); } });
document.addEventListener('tributary:theme', later);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', later);

enhance();
