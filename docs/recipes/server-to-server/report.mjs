// Reports conversions to Tributary, signed, and again when it asks to wait. Node.js 18 or newer.
import { createHmac } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';

const { TRIBUTARY_URL, TRIBUTARY_SECRET_ID, TRIBUTARY_SECRET } = process.env; // https://t.example, sec_…, trb_hmac_…

/** Sends a conversion, or an array of up to 1,000, and returns the result of each. */
export async function report(conversions, path = '/t/conversions', attempts = 6) {
  const body = JSON.stringify(conversions);
  for (let attempt = 0; attempt < attempts; attempt++) {
    const now = Math.floor(Date.now() / 1000); // every attempt is signed anew: a signature lives for 5 minutes
    const signature = createHmac('sha256', TRIBUTARY_SECRET).update(`${now}.${body}`).digest('hex');
    let wait = 2 ** attempt;
    try {
      const answer = await fetch(TRIBUTARY_URL + path, {
        method: 'POST',
        body,
        headers: {
          'Content-Type': 'application/json',
          'Tributary-Key-Id': TRIBUTARY_SECRET_ID,
          'Tributary-Timestamp': String(now),
          'Tributary-Signature': `v1=${signature}`,
        },
        signal: AbortSignal.timeout(10_000),
      });
      if (answer.ok) return (await answer.json()).results;
      const problem = await answer.text();
      if (![429, 500, 502, 503, 504].includes(answer.status)) {
        throw Object.assign(new Error(`${answer.status}: ${problem}`), { final: true });
      }
      wait = Math.max(wait, Number(answer.headers.get('Retry-After')) || 0);
    } catch (error) {
      if (error.final) throw error; // else no answer: an order counts once, so it is safe to send it again
    }
    if (attempt < attempts - 1) await sleep(Math.min(wait, 60) * 1000);
  }
  throw new Error('no answer: keep the conversions and send them later');
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const results = await report(JSON.parse(await text(process.stdin)), process.argv[2]);
  console.log(JSON.stringify(results));
  process.exitCode = results.some((result) => result.status === 'rejected') ? 1 : 0;
}
