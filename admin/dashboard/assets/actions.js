// The table of actions: choosing several, and details at the side.
import { api, newKey } from './api.js';
import { confirm, el, toast, toastThere } from './ui.js';

const bulk = document.querySelector('[data-bulk]');
if (bulk) {
  const boxes = [...bulk.querySelectorAll('input[name=id]')];
  const all = bulk.querySelector('[data-choose-all]');
  const chosen = (state) => boxes.filter((box) => box.checked && (!state || box.dataset.state === state));
  const say = () => {
    const n = chosen().length;
    bulk.querySelector('.bulk').hidden = n === 0;
    bulk.querySelector('[data-bulk-count]').textContent = n === 1 ? '1 chosen' : `${n} chosen`;
    all.checked = n > 0 && n === boxes.length;
    all.indeterminate = n > 0 && n < boxes.length;
  };
  all.disabled = boxes.length === 0;
  bulk.addEventListener('submit', (event) => event.preventDefault());
  bulk.addEventListener('change', (event) => {
    if (event.target === all) for (const box of boxes) box.checked = all.checked;
    say();
  });
  bulk.addEventListener('click', async (event) => {
    if (event.target.dataset.bulkVerb !== 'approve') return;
    const ids = chosen('pending').map((box) => box.value);
    if (!ids.length) { toast('Only pending actions can be approved; release held ones first.', true); return; }
    if (await confirm(`Approve and lock ${ids.length === 1 ? 'one action' : ids.length + ' actions'} now? They can no longer be reversed.`, 'Approve')) await each(ids, 'approve', undefined, 'Approved');
  });
  document.querySelector('[data-bulk-form]').addEventListener('submit', async (event) => {
    event.preventDefault();
    const { reason, note } = Object.fromEntries(new FormData(event.target));
    await each(chosen().map((box) => box.value), 'reverse', note ? { reason, note } : { reason }, 'Reversed');
  });
  say();
}

/** Does the same to each action, a few at a time, and says what became of them. */
async function each(ids, verb, body, done) {
  const waiting = [...ids], refused = [];
  const work = async () => {
    for (let id = waiting.shift(); id; id = waiting.shift()) {
      try { await api('POST', `/v1/actions/${id}/${verb}`, body, newKey()); } catch (error) { refused.push(error.message); }
    }
  };
  document.body.setAttribute('aria-busy', 'true');
  await Promise.all([work(), work(), work()]);
  document.body.removeAttribute('aria-busy');
  const failed = refused.length ? `, ${refused.length} not: ${refused[0]}` : '';
  toastThere(`${done} ${ids.length - refused.length} of ${ids.length}${failed}`);
  location.reload();
}

// A link to details opens them at the side; with a modifier key, or when they cannot be read, it is a link.
const sheet = document.getElementById('sheet');
document.addEventListener('click', async (event) => {
  const link = event.target.closest('a[data-sheet]');
  if (!link || !sheet || event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
  event.preventDefault();
  const body = sheet.querySelector('[data-sheet-body]');
  sheet.querySelector('h2').textContent = link.textContent.trim();
  body.replaceChildren(el('p', { class: 'soft' }, 'Reading…'));
  sheet.showModal();
  try {
    const answer = await fetch(link.href);
    const detail = answer.ok && new DOMParser().parseFromString(await answer.text(), 'text/html').getElementById('detail');
    if (!detail) throw new Error('no details');
    body.replaceChildren(document.adoptNode(detail));
    sheet.querySelector('h2').textContent = detail.dataset.title;
  } catch {
    location.assign(link.href);
  }
});
