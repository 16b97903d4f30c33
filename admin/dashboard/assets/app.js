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
 * say, checkboxes with data-item are a list of those chosen; data-percent is sent as
 * a rate, and a time with data-zone is that zone's. A form with data-changes sends
 * only what was changed, and null for what was emptied. "tributary:body" has the
 * object before it is sent. Afterwards a "tributary:done" event has the answer; unless somebody prevents
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
    if (body) form.dispatchEvent(new CustomEvent('tributary:body', { detail: body }));
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
    if ('changes' in form.dataset && !changed(form, field)) continue;
    let value = field.value.trim();
    if ('item' in field.dataset) { body[field.name] ||= []; if (field.checked) body[field.name].push(field.value); continue; }
    if (field.type === 'checkbox') { if (!field.checked && !('empty' in field.dataset)) continue; value = field.checked; }
    else if (value === '' && 'changes' in form.dataset) value = null;
    else if (value === '' && !('empty' in field.dataset)) continue;
    else if ('percent' in field.dataset) value = hundredth(value);
    else if ('zone' in field.dataset) value = instantIn(field.dataset.zone, value);
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

/** Whether a field, or one of its group, says something else than when the page was read. */
function changed(form, field) {
  if ('item' in field.dataset) return [...form.elements].some((other) => other.name === field.name && other.checked !== other.defaultChecked);
  if (field.type === 'checkbox') return field.checked !== field.defaultChecked;
  if (field.options) return [...field.options].some((option) => option.selected !== option.defaultSelected) && !(field.selectedIndex === 0 && ![...field.options].some((option) => option.defaultSelected));
  return field.value !== field.defaultValue;
}

/** 12.5 percent is the rate 0.125: the point moves, and nothing is computed. Other texts stay, for the API to refuse. */
function hundredth(percent) {
  const parts = /^(\d+)(?:\.(\d*))?$/.exec(percent.replace(/\s*%$/, '').replace(',', '.'));
  if (!parts) return percent;
  const whole = parts[1].padStart(3, '0');
  return `${whole.slice(0, -2)}.${whole.slice(-2)}${parts[2] || ''}`;
}

/** The moment when clocks of a zone show a time. */
function instantIn(zone, wall) {
  const shown = new Intl.DateTimeFormat('en-US', { timeZone: zone, hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric' });
  const ahead = (at) => {
    const p = Object.fromEntries(shown.formatToParts(at).map((part) => [part.type, part.value]));
    return Date.UTC(p.year, p.month - 1, p.day, p.hour, p.minute, p.second) - at;
  };
  const utc = Date.parse(wall + 'Z');
  return new Date(utc - ahead(utc - ahead(utc))).toISOString();
}

/** The field that a location of the API means: itself, its row's, its list's, or the first within it. */
function fieldAt(form, location) {
  const path = location.replace(/^body\.?/, '');
  const fields = [...form.elements].filter((field) => field.id && field.name && field.type !== 'hidden');
  for (const name of [path.replace(/\[(\d+)\]/g, '.$1'), path.replace(/\[.*$/, '')]) {
    const field = fields.find((f) => f.name === name) || (name && fields.find((f) => f.name.startsWith(name + '.')));
    if (field) return field;
  }
}

function clearErrors(form) {
  for (const note of form.querySelectorAll?.('.field-error, .form-error') || []) note.remove();
  for (const field of form.querySelectorAll?.('[aria-invalid]') || []) { field.removeAttribute('aria-invalid'); field.removeAttribute('aria-describedby'); }
}

/** A refusal that names other fields names them as the form does. */
const inWords = (form, message) => message.replace(/\b[a-z]+_[a-z_]+\b/g, (name) => { const label = form.elements[name]?.labels?.[0]; return label ? `“${label.textContent.trim()}”` : name; });

/** Puts each refused field's reason below it, and everything else above the buttons. */
function showErrors(form, error) {
  if (form.tagName !== 'FORM') { toast(error.message, true); return; }
  const rest = [];
  for (const failed of error.fields) {
    const field = fieldAt(form, failed.location);
    if (!field) { rest.push(`${failed.location}: ${failed.message}`); continue; }
    const note = document.createElement('p');
    note.className = 'field-error'; note.id = field.id + '-error'; note.textContent = inWords(form, failed.message);
    document.getElementById(note.id)?.remove();
    if ('item' in field.dataset) field.closest('fieldset').append(note); else field.after(note);
    const folded = field.closest('details');
    if (folded) folded.open = true;
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
