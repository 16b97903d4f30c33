// What every page does. Markup says what it wants:
//
//   <form data-submit>               is sent when one of its fields changes (filters)
//   <form data-api="POST /v1/…">     is sent to the API as JSON; see sendForm
//   <button data-api="POST /v1/…">   the same without fields, with data-body='{…}'; data-confirm asks first
//   <button data-open="id">          opens the <dialog id>, and fills its fields from data-fill-name="value"
//   <button data-close>              closes its dialog
//   <button data-copy="text">        copies
//   <button data-theme-toggle>       switches between light and dark
import { api, newKey } from './api.js';
import { confirm, showToastFromBefore, toast, toastThere } from './ui.js';

document.addEventListener('change', (event) => {
  const form = event.target.closest('form[data-submit]');
  if (!form) return;
  const dates = form.querySelector('.custom-dates');
  if (dates && event.target.name === 'period') {
    dates.hidden = event.target.value !== 'custom';
    if (!dates.hidden) { dates.querySelector('input').focus(); return; }
  }
  if (event.target.type === 'date') return; // the button beside it sends
  form.requestSubmit();
});

// Empty fields of filters stay out of the address.
document.addEventListener('submit', (event) => {
  const form = event.target;
  if (form.dataset.api) { event.preventDefault(); sendForm(form); return; }
  if (form.method !== 'get') return;
  const dates = form.querySelector('.custom-dates');
  for (const field of form.elements) {
    if (field.name && (field.value === '' || (dates && dates.hidden && dates.contains(field)))) field.disabled = true;
  }
  setTimeout(() => { for (const field of form.elements) field.disabled = false; });
});

document.addEventListener('click', async (event) => {
  const button = event.target.closest('button');
  if (!button) return;
  if (button.dataset.open) openDialog(button);
  else if ('close' in button.dataset) button.closest('dialog').close();
  else if ('copy' in button.dataset) copy(button.dataset.copy);
  else if ('themeToggle' in button.dataset) switchTheme();
  else if (button.dataset.api) {
    if (button.dataset.confirm && !await confirm(button.dataset.confirm, button.dataset.verb || button.textContent.trim())) return;
    await sendForm(button);
  }
});

// A click beside a dialog closes it.
document.addEventListener('pointerdown', (event) => {
  if (event.target.tagName === 'DIALOG' && event.target.open) {
    const box = event.target.getBoundingClientRect();
    if (event.clientX < box.left || event.clientX > box.right || event.clientY < box.top || event.clientY > box.bottom) event.target.close();
  }
});

function openDialog(button) {
  const dialog = document.getElementById(button.dataset.open);
  const form = dialog.querySelector('form');
  if (form) { form.reset(); clearErrors(form); delete form.dataset.key; }
  for (const [name, value] of Object.entries(button.dataset)) {
    if (!name.startsWith('fill')) continue;
    const field = name[4].toLowerCase() + name.slice(5);
    if (field === 'api') { form.dataset.api = value; continue; }
    for (const node of dialog.querySelectorAll(`[data-said="${field}"]`)) node.textContent = value;
    const input = form && form.elements[field];
    if (input) input.value = value;
  }
  dialog.showModal();
}

/**
 * Sends a form's fields to data-api as a JSON object. A name with a dot is a field
 * of an object; empty fields are left out, unless data-empty says to send them;
 * data-list splits at commas and spaces, data-number and checkboxes are what they
 * say. Afterwards a "tributary:done" event has the answer; unless somebody prevents
 * it, data-done is said and the page is read again, or data-then is gone to.
 */
async function sendForm(form) {
  const [method, path] = form.dataset.api.split(' ');
  const button = form.tagName === 'BUTTON' ? form : form.querySelector('button:not([type=button])');
  clearErrors(form);
  form.dataset.key ||= newKey(); // the same try again happens once
  button.setAttribute('aria-busy', 'true');
  button.disabled = true;
  try {
    const body = form.tagName === 'FORM' ? fieldsOf(form) : form.dataset.body ? JSON.parse(form.dataset.body) : undefined;
    const answer = await api(method, path, body, method === 'POST' ? form.dataset.key : undefined);
    delete form.dataset.key;
    const done = new CustomEvent('tributary:done', { bubbles: true, cancelable: true, detail: answer });
    if (!form.dispatchEvent(done)) return;
    if (form.dataset.done) toastThere(form.dataset.done);
    if (form.dataset.then) location.assign(form.dataset.then); else location.reload();
  } catch (error) {
    if (error.status >= 400 && error.status < 500) delete form.dataset.key; // refused: the next try is another one
    showErrors(form, error);
    form.dispatchEvent(new CustomEvent('tributary:refused', { bubbles: true, detail: error }));
  } finally {
    button.removeAttribute('aria-busy');
    button.disabled = false;
  }
}

function fieldsOf(form) {
  const body = {};
  for (const field of form.elements) {
    if (!field.name || field.disabled || (field.type === 'radio' && !field.checked)) continue;
    let value = field.value.trim();
    if (field.type === 'checkbox') { if (!field.checked && !('empty' in field.dataset)) continue; value = field.checked; }
    else if (value === '' && !('empty' in field.dataset)) continue;
    else if ('list' in field.dataset) value = value.split(/[\s,]+/).filter(Boolean);
    else if ('number' in field.dataset) value = Number(value);
    else if (field.type === 'datetime-local') value = new Date(value).toISOString();
    const path = field.name.split('.');
    const last = path.pop();
    path.reduce((object, name) => object[name] ||= {}, body)[last] = value;
  }
  // Rows named socials.0.handle are a list; one without its handle is none.
  if (form.dataset.rows) body[form.dataset.rows] = Object.values(body[form.dataset.rows] || {}).filter((row) => row.handle);
  return body;
}

function clearErrors(form) {
  for (const note of form.querySelectorAll?.('.field-error, .form-error') || []) note.remove();
  for (const field of form.querySelectorAll?.('[aria-invalid]') || []) { field.removeAttribute('aria-invalid'); field.removeAttribute('aria-describedby'); }
}

/** Puts each refused field's reason below it, and everything else above the buttons. */
function showErrors(form, error) {
  if (form.tagName !== 'FORM') { toast(error.message, true); return; }
  const rest = [];
  for (const failed of error.fields) {
    const field = form.elements[failed.location.replace(/^body\.?/, '')];
    if (!field || !field.id) { rest.push(`${failed.location}: ${failed.message}`); continue; }
    const note = document.createElement('p');
    note.className = 'field-error'; note.id = field.id + '-error'; note.textContent = failed.message;
    field.after(note);
    field.setAttribute('aria-invalid', 'true'); field.setAttribute('aria-describedby', note.id);
  }
  if (!error.fields.length) rest.push(error.message);
  if (rest.length) {
    const note = document.createElement('p');
    note.className = 'form-error'; note.setAttribute('role', 'alert'); note.textContent = rest.join(' ');
    (form.querySelector('.row.end') || form.lastElementChild).before(note);
  }
  form.querySelector('[aria-invalid]')?.focus();
}

async function copy(text) {
  try { await navigator.clipboard.writeText(text); toast('Copied'); } catch { toast('The browser does not let this page copy', true); }
}

function switchTheme() {
  const dark = document.documentElement.dataset.theme ? document.documentElement.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  const theme = dark ? 'light' : 'dark';
  document.documentElement.dataset.theme = theme;
  document.cookie = `tributary_theme=${theme};path=/;max-age=31536000;samesite=lax`;
  document.dispatchEvent(new CustomEvent('tributary:theme'));
}

// Countries stand by their code in the HTML; a browser knows their names.
const countries = new Intl.DisplayNames(document.documentElement.lang, { type: 'region' });
for (const node of document.querySelectorAll('[data-country]')) {
  try { node.textContent = countries.of(node.dataset.country); } catch { /* no code of a country */ }
}

showToastFromBefore();
