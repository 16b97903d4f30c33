// Keys and secrets that are shown once, choosing what to replay, and health that
// keeps itself fresh.
import { api } from './api.js';
import { el, toast, toastThere } from './ui.js';

// A key is shown once: the page is read again only when it was put away.
document.addEventListener('tributary:done', (event) => {
  if (!('showsKey' in event.target.dataset)) return;
  event.preventDefault();
  event.target.closest('dialog').close();
  const dialog = document.getElementById('new-key');
  const text = dialog.querySelector('[data-key-text]');
  text.textContent = event.detail.key;
  dialog.addEventListener('close', () => { text.textContent = ''; location.reload(); }, { once: true });
  dialog.addEventListener('cancel', (cancelled) => cancelled.preventDefault());
  dialog.showModal();
});

document.addEventListener('click', async (event) => {
  const button = event.target.closest('button');
  if (!button) return;
  if ('keyCopy' in button.dataset) {
    try { await navigator.clipboard.writeText(document.querySelector('[data-key-text]').textContent); toast('Copied'); } catch { toast('The browser does not let this page copy', true); }
  } else if ('replay' in button.dataset) replay(button);
  else if ('audit' in button.dataset) audit(button);
});

async function audit(button) {
  const dialog = document.getElementById('audit'), place = dialog.querySelector('[data-audited]');
  place.replaceChildren(el('p', { class: 'soft' }, 'This reads every row of the money tables and may take a while …'));
  dialog.showModal();
  button.disabled = true;
  try {
    const found = await api('GET', '/v1/audit');
    place.replaceChildren(
      el('p', {}, el('b', {}, found.agree ? 'The books agree.' : 'The books differ.')),
      found.differences.length ? el('ul', { class: 'bullets' }, ...found.differences.map((d) => el('li', {}, d))) : '',
      el('div', { class: 'snippet' }, el('pre', { tabindex: '0' }, found.lines.join('\n'))));
  } catch (error) {
    place.replaceChildren(el('p', { class: 'form-error', role: 'alert' }, error.message));
  } finally {
    button.disabled = false;
  }
}

// Whose a key is depends on its role.
document.addEventListener('change', (event) => {
  const form = event.target.form;
  if (form && event.target.name === 'role' && form.querySelector('[data-for-role]')) owners(form);
  if (event.target.closest('[data-choose]')) choose(event.target);
});

function owners(form) {
  for (const field of form.querySelectorAll('[data-for-role]')) {
    const wanted = field.dataset.forRole.split(' ').includes(form.elements.role.value);
    field.hidden = !wanted;
    for (const input of field.querySelectorAll('select')) input.disabled = !wanted;
  }
}
for (const form of document.querySelectorAll('form')) if (form.querySelector('[data-for-role]')) owners(form);

const chosen = () => [...document.querySelectorAll('[data-choose] tbody input:checked')].map((box) => box.value);

function choose(box) {
  if ('all' in box.dataset) for (const other of document.querySelectorAll('[data-choose] tbody input')) other.checked = box.checked;
  const bulk = document.querySelector('.bulk'), n = chosen().length;
  bulk.hidden = n === 0;
  bulk.querySelector('b').textContent = n === 1 ? '1 chosen' : `${n} chosen`;
}

async function replay(button) {
  button.disabled = true;
  try {
    const answer = await api('POST', '/v1/quarantine/replay', { ids: button.dataset.replay ? [button.dataset.replay] : chosen() });
    const taken = answer.results.filter((r) => r.status === 'accepted' || r.status === 'duplicate').length;
    const still = answer.results.filter((r) => r.status !== 'accepted' && r.status !== 'duplicate');
    if (!still.length) { toastThere(taken === 1 ? 'It is taken now' : `${taken} are taken now`); location.reload(); return; }
    const dialog = document.getElementById('replayed');
    dialog.querySelector('[data-replayed]').replaceChildren(
      el('p', {}, taken ? `${taken} taken now, ${still.length} still not:` : 'What stood in the way is still there:'),
      el('ul', { class: 'bullets' }, ...still.slice(0, 20).map((r) => el('li', {}, [r.order_id, r.reason || r.code].filter(Boolean).join(': ')))));
    dialog.addEventListener('close', () => location.reload(), { once: true });
    dialog.showModal();
  } catch (error) {
    toast(error.message, true);
  } finally {
    button.disabled = false;
  }
}

// Health is read again while somebody looks, its numbers put in place.
const fresh = document.querySelector('[data-refresh]');
if (fresh) setInterval(async () => {
  if (document.hidden) return;
  try {
    const answer = await fetch(location.href, { headers: { Accept: 'text/html' } });
    if (!answer.ok || answer.redirected) return;
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html').querySelector('[data-refresh]');
    if (page && !document.querySelector('dialog[open]') && !getSelection().toString()) fresh.replaceChildren(...page.childNodes);
  } catch { /* the next time */ }
}, 5000);
