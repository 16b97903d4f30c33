// A key or secret that was made is shown once, and the page read again when it was taken.
const reveal = document.getElementById('reveal');

document.addEventListener('tributary:done', (event) => {
  const name = event.target.dataset.reveal;
  if (!name) return;
  event.preventDefault();
  event.target.closest('dialog').close();
  document.getElementById('reveal-text').textContent = event.detail[name];
  document.getElementById('reveal-copy').dataset.copy = event.detail[name];
  reveal.showModal();
  reveal.addEventListener('close', () => location.reload(), { once: true });
});
