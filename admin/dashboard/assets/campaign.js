// The form of a campaign, and inviting creators to one.
import { api, newKey } from './api.js';
import { toastThere } from './ui.js';

const form = document.querySelector('form[data-campaign]');
if (form) {
  // An event that pays has a type: a share of the sale, or an amount.
  form.addEventListener('tributary:body', (event) => {
    const { terms, budget } = event.detail;
    if (budget?.amount === null) event.detail.budget = null;
    for (const [name, pay] of Object.entries(terms?.events || {})) {
      const value = (part) => form.elements[`terms.events.${name}.${part}`]?.value.trim();
      if (!value('rate') && !value('amount')) terms.events[name] = null;
      else if (value('amount') && value('rate')) pay.type = 'percent'; // the API says that one is too many
      else Object.assign(pay, value('rate') ? { type: 'percent' } : { type: 'flat' });
    }
  });
  const template = form.elements.terms_template_id;
  const choose = () => { for (const field of form.elements) if (field.name.startsWith('terms.')) field.disabled = Boolean(template.value); };
  template?.addEventListener('change', choose);
  const needs = () => { for (const field of form.querySelectorAll('[data-needs]')) field.disabled = !form.elements[field.dataset.needs].value.trim(); };
  form.addEventListener('input', needs);
  needs();
  form.addEventListener('tributary:done', (event) => {
    if (!form.dataset.api.startsWith('POST')) return;
    event.preventDefault();
    toastThere(form.dataset.done);
    location.assign('/campaigns/' + event.detail.id);
  });
}

// Invitations go one by one, and each that is refused says why.
const invite = document.querySelector('form[data-invite]');
if (invite) {
  const people = [...invite.querySelectorAll('[data-person]')];
  invite.querySelector('[data-find]')?.addEventListener('input', (event) => {
    const wanted = event.target.value.trim().toLowerCase();
    for (const person of people) person.hidden = !person.textContent.toLowerCase().includes(wanted);
  });
  invite.addEventListener('submit', async (event) => {
    event.preventDefault();
    const button = invite.querySelector('button:not([type=button])');
    const chosen = people.map((person) => person.querySelector('input')).filter((box) => box.checked);
    const status = invite.elements.status.value, refused = [];
    button.disabled = true;
    for (const box of chosen) {
      try { await api('POST', invite.dataset.invite, { creator_id: box.value, status }, newKey()); } catch (error) { refused.push(`${box.dataset.name}: ${error.fields.map((f) => f.message).join(' ') || error.message}`); }
    }
    button.disabled = false;
    if (!chosen.length) return;
    toastThere([`${chosen.length - refused.length} of ${chosen.length} ${status === 'joined' ? 'added' : 'invited'}`, ...refused].join('. '));
    location.reload();
  });
}
