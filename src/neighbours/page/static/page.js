/** The page: one state, drawn anew whenever something of it changes. */
import { html, nothing, render } from './lit/lit-html.js';
import { follow, get, post, remove } from './connection.js';
import { deviceView } from './device.js';
import { liveView } from './live.js';
import { sentencesView } from './sentences.js';
import { tryView } from './try.js';
import { hearing } from './words.js';

const utterancesMax = 50;
/** A notice goes after this. */
const noticeMs = 6000;
/** After the wake phrase. */
const wakeMs = 5000;
const askAgainMs = 4000;
/** What is being heard goes after this, if nothing came of it. */
const partialMs = 5000;

const tabs = [
  ['live', 'Live'],
  ['try', 'Try'],
  ['sentences', 'Sentences'],
  ['device', 'Device'],
];

const state = {
  /** null: not known yet. */
  open: null,
  needsToken: false,
  token: '',
  link: 'connecting',
  tab: 'live',
  device: null,
  level: null,
  partial: '',
  wake: false,
  utterances: [],
  sentence: '',
  answer: null,
  grammar: null,
  selftest: null,
  notice: '',
  /** Requests under way, by name. */
  busy: new Set(),
  trySentence: (text) => void act.trySentence(text),
};

let waiting = false;
/** At most once a frame. */
function draw() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    render(pageView(), document.getElementById('page'));
  });
}

function set(changes) {
  Object.assign(state, changes);
  draw();
}

let noticeTimer;
function notify(notice) {
  clearTimeout(noticeTimer);
  noticeTimer = setTimeout(() => set({ notice: '' }), noticeMs);
  set({ notice });
}

/** Asks the device while a button shows it; undefined when it did not work, which is said. */
async function during(name, work) {
  if (state.busy.has(name)) return undefined;
  state.busy.add(name);
  draw();
  try {
    return await work();
  } catch (error) {
    if (error.status === 401) lock();
    else notify(error.message);
    return undefined;
  } finally {
    state.busy.delete(name);
    draw();
  }
}

const act = {
  set,
  open(tab) {
    set({ tab, notice: '' });
    window.scrollTo(0, 0);
    if (tab === 'sentences' && state.grammar === null) void act.loadGrammar();
  },
  /** One of MQTT's requests. */
  async request(name, body, done = '') {
    const answer = await during(name, () => post(name, body));
    if (answer === undefined) return undefined;
    if (answer.status !== 'ok') notify(answer.error);
    else if (done !== '') notify(done);
    return answer;
  },
  async selftest() {
    set({ selftest: null });
    const answer = await during('selftest', () => post('selftest'));
    if (answer === undefined) return;
    set({
      selftest: answer.status === 'ok' ? answer.data : { passed: false, error: answer.error },
    });
  },
  async trySentence(sentence) {
    const text = sentence.trim();
    set({ sentence, tab: 'try' });
    const answer = await during('sentence', () => post('sentence', { text }));
    if (answer !== undefined) set({ answer: { text, ...answer } });
  },
  async loadGrammar() {
    const grammar = await during('grammar', () => get('grammar'));
    if (grammar !== undefined)
      set({ grammar: { ...grammar, draft: grammar.text ?? '', result: null } });
  },
  draft(draft) {
    set({ grammar: { ...state.grammar, draft, result: null } });
  },
  async check() {
    const { draft } = state.grammar;
    const result = await during('grammar/check', () => post('grammar/check', { text: draft }));
    if (result !== undefined) set({ grammar: { ...state.grammar, result } });
  },
  async save() {
    const { draft, sha256 } = state.grammar;
    const result = await during('grammar/save', () =>
      post('grammar/save', { text: draft, before: sha256 }),
    );
    if (result === undefined) return;
    if (result.ok) await act.loadGrammar();
    set({ grammar: { ...state.grammar, result: { ...result, saved: result.ok } }, answer: null });
  },
  async enter() {
    const answer = await during('session', () =>
      post('session', { token: state.token }).catch((error) => {
        notify(error.message);
      }),
    );
    if (answer === undefined) return;
    set({ token: '', notice: '' });
    await begin();
  },
  async leave() {
    await during('session', () => remove('session'));
    lock();
  },
};

let stop = () => undefined;
/** The token is asked for; nothing of the device stays on the screen. */
function lock() {
  stop();
  set({
    open: false,
    needsToken: true,
    device: null,
    utterances: [],
    grammar: null,
    answer: null,
    partial: '',
  });
}

let wakeTimer;
let partialTimer;
const events = {
  state: (device) => set({ device }),
  utterances: (list) => set({ utterances: [...list].reverse(), partial: '' }),
  utterance: (one) =>
    set({ utterances: [one, ...state.utterances].slice(0, utterancesMax), wake: false }),
  level: (level) => set({ level }),
  partial({ text }) {
    clearTimeout(partialTimer);
    partialTimer = setTimeout(() => set({ partial: '' }), partialMs);
    set({ partial: text });
  },
  wake() {
    clearTimeout(wakeTimer);
    wakeTimer = setTimeout(() => set({ wake: false }), wakeMs);
    set({ wake: true });
  },
};

/** Asks whether the page is open to this browser, and follows the device if it is. */
async function begin() {
  stop();
  let session;
  try {
    session = await get('session');
  } catch (error) {
    set({ link: 'lost', notice: state.device === null ? error.message : '' });
    setTimeout(begin, askAgainMs);
    return;
  }
  set({ ...session, notice: '' });
  if (!session.open) return lock();
  stop = follow(
    (name, data) => events[name](data),
    (link) => {
      set(link === 'live' ? { link } : { link: 'lost', level: null, partial: '' });
      if (link === 'refused') setTimeout(begin, askAgainMs);
    },
  );
}

function pageView() {
  if (state.open === null || (state.open && state.device === null))
    return html`<main class="middle"><p>${state.notice || 'Asking the device …'}</p></main>`;
  if (!state.open) return tokenView();
  const { mark, word, kind } = hearing(state.device, state.link);
  return html`
    <header>
      <div class="bar-top">
        <h1>${state.device.device}</h1>
        <p class="status ${kind}" role="status"><span aria-hidden="true">${mark}</span> ${word}</p>
      </div>
    </header>
    <main>
      ${
        state.link === 'live'
          ? nothing
          : html`<p class="note" role="alert">
              No connection to the device. What you see is old; it is tried again.
            </p>`
      }
      ${{ live: liveView, try: tryView, sentences: sentencesView, device: deviceView }[state.tab](state, act)}
    </main>
    ${state.notice === '' ? nothing : html`<p class="toast" role="alert">${state.notice}</p>`}
    <nav aria-label="Parts of the page">
      ${tabs.map(
        ([id, name]) =>
          html`<button
            id="tab-${id}"
            aria-current=${id === state.tab ? 'page' : 'false'}
            @click=${() => act.open(id)}
          >
            ${name}
          </button>`,
      )}
    </nav>
  `;
}

const tokenView = () =>
  html`<main class="middle">
    <form
      class="card token"
      @submit=${(event) => {
        event.preventDefault();
        void act.enter();
      }}
    >
      <h1>kikitori</h1>
      <label for="token">The token of this device</label>
      <input
        id="token"
        type="password"
        autocomplete="current-password"
        maxlength="512"
        .value=${state.token}
        @input=${(event) => set({ token: event.target.value })}
      />
      <button class="main" ?disabled=${state.token === '' || state.busy.has('session')}>
        Open
      </button>
      ${state.notice === '' ? nothing : html`<p class="note" role="alert">${state.notice}</p>`}
    </form>
  </main>`;

draw();
void begin();
