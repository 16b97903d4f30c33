// Small parts that every page's script may use.

/** Makes an element: el('p', { class: 'soft' }, 'text', child). */
export function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith('on')) node.addEventListener(key.slice(2), value);
    else if (value === true) node.setAttribute(key, '');
    else if (value !== false && value != null) node.setAttribute(key, value);
  }
  node.append(...children.filter((c) => c != null && c !== false));
  return node;
}

/** Says something for a moment; bad things stay longer. */
export function toast(text, bad = false) {
  const note = el('p', { class: bad ? 'toast bad' : 'toast' }, text);
  document.getElementById('toasts').append(note);
  setTimeout(() => note.remove(), bad ? 9000 : 4500);
}

/** Says something once the next page is there. */
export function toastThere(text) {
  try { sessionStorage.setItem('toast', text); } catch { /* storage may be denied */ }
}

export function showToastFromBefore() {
  try {
    const text = sessionStorage.getItem('toast');
    if (text) { sessionStorage.removeItem('toast'); toast(text); }
  } catch { /* storage may be denied */ }
}

const language = document.documentElement.lang;

/** An amount as a decimal text, in words: it is never a float. */
export function money(decimal, currency) {
  if (decimal == null || decimal === '') return '–';
  const digits = (decimal.split('.')[1] || '').length;
  return new Intl.NumberFormat(language, { style: 'currency', currency, minimumFractionDigits: digits, maximumFractionDigits: digits }).format(decimal);
}

export const number = (value) => new Intl.NumberFormat(language).format(value);

export function moment(text, zone) {
  if (!text) return '–';
  return new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'short', timeZone: zone || undefined }).format(new Date(text));
}

const properNames = { tiktok: 'TikTok', youtube: 'YouTube', linkedin: 'LinkedIn', xhs: 'Xiaohongshu', line: 'LINE', ios: 'iOS', s2s: 'Server' };

/** A name of the API for people: over_budget is Over budget. */
export function human(name) {
  if (!name) return '–';
  if (properNames[name]) return properNames[name];
  const text = String(name).replaceAll('_', ' ');
  return text[0].toUpperCase() + text.slice(1);
}

/** Asks before something that cannot be undone; resolves to true or false. */
export function confirm(question, verb = 'Yes') {
  return new Promise((resolve) => {
    const dialog = el('dialog', { class: 'dialog', 'aria-label': question },
      el('form', { method: 'dialog' },
        el('p', {}, question),
        el('div', { class: 'row end' },
          el('button', { class: 'button', value: '' }, 'Cancel'),
          el('button', { class: 'button primary', value: 'yes' }, verb))));
    dialog.addEventListener('close', () => { resolve(dialog.returnValue === 'yes'); dialog.remove(); });
    document.body.append(dialog);
    dialog.showModal();
  });
}
