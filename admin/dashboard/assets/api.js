// Changes go through the API under /v1, as the session of this browser.

/** A refusal of the API: what it says, and which fields failed. */
export class Refusal extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || `The server answered ${status}.`);
    this.status = status;
    this.code = problem.code || '';
    this.fields = problem.errors || [];
  }
}

const cookie = (name) => document.cookie.split('; ').find((c) => c.startsWith(name + '='))?.slice(name.length + 1) ?? '';

/**
 * Asks the API and returns its JSON; undefined for an answer without one.
 * A key makes a POST happen once: give the same one to try the same thing again.
 */
export async function api(method, path, body, key) {
  const headers = { Accept: 'application/json' };
  if (method !== 'GET') headers['X-CSRF-Token'] = cookie('tributary_csrf');
  if (key) headers['Idempotency-Key'] = key;
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  let response;
  try {
    response = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch {
    throw new Refusal(0, { detail: 'The server cannot be reached. Look at your connection and try again.' });
  }
  const isJSON = (response.headers.get('Content-Type') || '').includes('json');
  const answer = isJSON ? await response.json() : undefined;
  if (response.ok) return answer;
  if (response.status === 401) {
    location.assign('/login?next=' + encodeURIComponent(location.pathname + location.search));
  }
  throw new Refusal(response.status, answer || {});
}

export const newKey = () => crypto.randomUUID ? crypto.randomUUID() : Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, '0')).join('');
