// Links and codes: a form for one is sent for the task it names, and a QR code shown.
import { toastThere } from './ui.js';

for (const form of document.querySelectorAll('form[data-make]')) {
  const task = form.querySelector('[data-task]');
  const aim = () => { form.dataset.api = `POST /v1/tasks/${task.value}/${form.dataset.make}`; };
  task.addEventListener('change', aim);
  aim();
  form.addEventListener('tributary:done', (event) => toastThere(`Made ${event.detail.url || event.detail.code}`));
}

document.addEventListener('click', (event) => {
  const button = event.target.closest('[data-qr]');
  if (!button) return;
  const address = `/v1/links/${button.dataset.qr}/qr`;
  document.getElementById('qr-image').src = address + '.svg';
  document.getElementById('qr-url').textContent = button.dataset.url;
  document.getElementById('qr-svg').href = address + '.svg';
  document.getElementById('qr-png').href = address + '.png';
  document.getElementById('qr').showModal();
});
