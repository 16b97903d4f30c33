// What a test of a webhook came to, and what a delivery said.
import { api } from './api.js';
import { el, moment, toast, toastThere } from './ui.js';

document.addEventListener('tributary:done', (event) => {
  if (!('ping' in event.target.dataset)) return;
  const d = event.detail;
  toastThere(d.state === 'delivered' ? `The test was delivered: ${d.response_code} in ${d.duration_ms} ms` : `The test was not delivered: ${d.error || d.response_code}`);
});

document.addEventListener('click', async (event) => {
  const button = event.target.closest('[data-delivery]');
  if (!button) return;
  const dialog = document.getElementById('delivery'), place = dialog.querySelector('[data-delivered]');
  try {
    const d = await api('GET', button.dataset.delivery);
    dialog.querySelector('h2').textContent = d.event_type;
    const facts = [['webhook-id', d.event_id], ['Made', moment(d.created_at)], ['Attempts', d.attempts], ['Answer', d.response_code], ['Error', d.error]].filter(([, value]) => value != null);
    place.replaceChildren(
      el('dl', { class: 'facts' }, ...facts.flatMap(([name, value]) => [el('dt', {}, name), el('dd', {}, String(value))])),
      el('h3', {}, 'Sent'), el('div', { class: 'snippet' }, el('pre', { tabindex: '0' }, JSON.stringify(d.body, null, 2))),
      ...(d.response ? [el('h3', {}, 'Answered'), el('div', { class: 'snippet' }, el('pre', { tabindex: '0' }, d.response))] : []));
    dialog.showModal();
  } catch (error) {
    toast(error.message, true);
  }
});
