// What arrives, as it arrives: <ol class="feed" data-live="/v1/live?…" data-live-most="12">
// with an <li data-live-empty>, and somewhere in its section a [data-live-state].
import { el, human, money, moment } from './ui.js';

const flushEvery = 400, comeBack = 8000; // ms

for (const feed of document.querySelectorAll('[data-live]')) follow(feed);

function follow(feed) {
  const section = feed.closest('section');
  const state = section.querySelector('[data-live-state]');
  const most = Number(feed.dataset.liveMost) || 20;
  const known = new Set();
  let source, waiting = [], paused = false, again;

  const say = (name, text) => { state.dataset.state = name; if (state.textContent !== text) state.textContent = text; };
  const pause = el('button', { class: 'button small', type: 'button', 'aria-pressed': 'false', onclick: () => {
    paused = !paused;
    pause.setAttribute('aria-pressed', String(paused));
    pause.textContent = paused ? 'Go on' : 'Pause';
    if (!paused) flush();
  } }, 'Pause');
  const place = el('span', { class: 'row' });
  state.replaceWith(place);
  place.append(state, pause);

  function open() {
    clearTimeout(again);
    source = new EventSource(feed.dataset.live);
    source.addEventListener('ready', () => say('open', 'Live'));
    source.addEventListener('resumed', () => say('open', 'Live'));
    source.addEventListener('stalled', () => say('closed', 'Reports are behind. What arrives is kept and shown later'));
    source.addEventListener('click', (event) => take(clickLine(JSON.parse(event.data))));
    source.addEventListener('action', (event) => take(actionLine(JSON.parse(event.data))));
    source.addEventListener('gap', (event) => take(gapLine(JSON.parse(event.data))));
    source.onerror = () => {
      if (source.readyState !== EventSource.CLOSED) { say('', 'Connecting …'); return; }
      say('closed', 'Not connected; trying again');
      again = setTimeout(open, comeBack);
    };
  }

  function take(line) {
    if (known.has(line.id)) return;
    known.add(line.id);
    if (known.size > 5000) known.clear();
    waiting.push(line);
    waiting = waiting.slice(-most);
  }

  function flush() {
    if (paused || !waiting.length) return;
    feed.querySelector('[data-live-empty]')?.remove();
    for (const line of waiting) feed.prepend(line.node());
    waiting = [];
    while (feed.children.length > most) feed.lastElementChild.remove();
  }

  say('', 'Connecting …');
  open();
  setInterval(flush, flushEvery);
  addEventListener('pagehide', () => source.close());
  addEventListener('pageshow', (event) => { if (event.persisted) open(); });
}

const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const time = (text) => el('time', { datetime: text, title: moment(text) }, clock.format(new Date(text)));
const state = (name) => el('span', { class: 'state state-' + name }, human(name));

function clickLine(c) {
  const where = [human(c.platform), c.country, c.referrer_host].filter(Boolean).join(' · ');
  const by = [c.browser, c.os, c.in_app ? 'in-app' : ''].filter(Boolean).join(', ');
  const why = [...c.reasons.filter((r) => r !== c.verdict), c.unpayable].filter(Boolean).map(human).join(', ');
  return { id: c.click_id, node: () => el('li', {}, time(c.time), state(c.verdict), el('span', {}, where, el('small', {}, [by, why].filter(Boolean).join(' · ')))) };
}

function actionLine(a) {
  const amount = a.payout ?? a.amount;
  return { id: `${a.action_id} ${a.at} ${a.verb}`, node: () => el('li', { class: 'happened' }, time(a.at), state(a.state),
    el('span', {}, `${human(a.verb)}: ${money(amount, a.currency)}`, el('small', {}, `${a.payout == null ? 'sale' : 'payout'} · ${a.action_id}`))) };
}

const gaps = {
  slow_client: (n) => `${n} more arrived than could be shown`, too_many: () => 'More arrives than can be shown; the list of clicks has all',
  too_long_ago: () => 'What arrived while you were away is in the list of clicks', unknown_position: () => 'Shown from now on',
};

function gapLine(g) {
  return { id: 'gap ' + performance.now(), node: () => el('li', { class: 'soft' }, (gaps[g.reason] || gaps.too_many)(g.dropped)) };
}
