// Links and codes: QR codes, and showing what was made before the page is read again.
import { el, toast } from './ui.js';

const qr = (id, kind = 'svg') => `/v1/links/${encodeURIComponent(id)}/qr.${kind}`;

document.addEventListener('click', (event) => {
  const button = event.target.closest('button');
  if (!button) return;
  if (button.dataset.qr) showQR(button.dataset.qr);
  else if ('madeCopy' in button.dataset) copyMade();
  else if ('madeClose' in button.dataset) location.reload();
});

function showQR(id) {
  const dialog = document.getElementById('qr');
  dialog.querySelector('[data-qr-image]').src = qr(id);
  for (const link of dialog.querySelectorAll('[data-qr-download]')) {
    link.href = qr(id, link.dataset.qrDownload);
    link.download = `link.${link.dataset.qrDownload}`;
  }
}

// A form for one of several tasks is sent to the one that is chosen.
document.addEventListener('change', (event) => {
  if (!('task' in event.target.dataset)) return;
  const form = event.target.form;
  form.dataset.api = form.dataset.api.replace(/\/tasks\/[^/]+\//, `/tasks/${event.target.value}/`);
});

document.addEventListener('tributary:done', (event) => {
  const made = event.target.dataset.makes;
  if (!made) return;
  event.preventDefault();
  event.target.closest('dialog').close();
  const dialog = document.getElementById('made');
  const image = dialog.querySelector('[data-qr-image]');
  image.hidden = made !== 'link';
  if (made === 'link') image.src = qr(event.detail.id);
  dialog.querySelector('h2').textContent = made === 'link' ? 'Your link is ready' : 'Your code';
  dialog.querySelector('[data-made]').textContent = made === 'link' ? event.detail.url : event.detail.code;
  dialog.querySelector('[data-made-note]').textContent = made === 'link' ? 'It works already. Its clicks show here within seconds.' : 'Tell your followers to type it at the checkout.';
  dialog.addEventListener('close', () => location.reload(), { once: true });
  dialog.showModal();
});

async function copyMade() {
  try {
    await navigator.clipboard.writeText(document.querySelector('[data-made]').textContent);
    toast('Copied');
  } catch { toast('The browser does not let this page copy', true); }
}

// A refusal to join names every condition; each gets its line.
document.addEventListener('tributary:refused', (event) => {
  if (!('joins' in event.target.dataset) || !event.detail.fields.length) return;
  document.querySelector('[data-refusals]').replaceChildren(
    el('div', { class: 'notice bad', role: 'alert' }, el('ul', { class: 'bullets' }, ...event.detail.fields.map((f) => el('li', {}, f.message)))));
});
