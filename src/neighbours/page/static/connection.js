/** The way to the device: requests, and the events that it sends. */

const waitMs = 40_000;

/** Resolves with the answer; rejects with words for people. `status` tells a missing token. */
async function ask(method, name, body) {
  let response;
  try {
    response = await fetch(`api/${name}`, {
      method,
      signal: AbortSignal.timeout(waitMs),
      ...(body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
  } catch {
    throw new Error('The device does not answer.');
  }
  const data = await response.json().catch(() => ({ error: `It answered ${response.status}.` }));
  if (response.ok) return data;
  throw Object.assign(new Error(data.error ?? 'It was refused.'), { status: response.status });
}

export const get = (name) => ask('GET', name);
export const post = (name, body = {}) => ask('POST', name, body);
export const remove = (name) => ask('DELETE', name);

const names = ['state', 'utterances', 'utterance', 'level', 'partial', 'wake'];

/** Calls back with each event by name, and with whether it is connected. The browser connects again by itself. */
export function follow(onEvent, onLink) {
  const source = new EventSource('api/events');
  source.onopen = () => onLink('live');
  source.onerror = () => {
    onLink('lost');
    // Refused, not interrupted: the browser gives up then.
    if (source.readyState === EventSource.CLOSED) onLink('refused');
  };
  for (const name of names)
    source.addEventListener(name, (event) => onEvent(name, JSON.parse(event.data)));
  return () => source.close();
}
