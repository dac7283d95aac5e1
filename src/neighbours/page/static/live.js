/** What is being heard now, and what was. */
import { html, nothing } from './lit/lit-html.js';
import { repeat } from './lit/directives/repeat.js';
import { levelWords, onBar, percent, time } from './words.js';

export const liveView = (state, act) => html`
  <section class="card hearing" aria-label="What is being heard">
    <p class=${state.partial === '' ? 'now quiet' : 'now'} aria-live="off">
      ${state.partial === '' ? idleWords(state) : `${state.partial} …`}
    </p>
    ${meterView(state)}
    <div class="buttons">
      ${muteButton(state, act)}
      ${
        state.device.mode === 'always'
          ? nothing
          : html`<button
              class="main"
              ?disabled=${state.device.health.muted || state.busy.has('listen')}
              @click=${() => act.request('listen', {}, `It listens now: ${spoken(state.device)}.`)}
            >
              Listen
            </button>`
      }
    </div>
  </section>
  <section aria-label="Last utterances">
    <h2>Last utterances</h2>
    ${
      state.utterances.length === 0
        ? html`<p class="card empty">Nothing yet. Say one of the commands.</p>`
        : html`<ol class="utterances">
            ${repeat(
              state.utterances,
              ({ id }) => id,
              (u) => utteranceView(u, state),
            )}
          </ol>`
    }
  </section>
`;

function idleWords({ device, wake }) {
  if (device.health.muted) return 'Muted: nothing is heard.';
  if (wake) return 'Yes? Say the command.';
  if (device.mode === 'wake') return `Say “${device.wakePhrase}”, then a command.`;
  if (device.mode === 'push-to-talk' || device.byRequest)
    return `Press Listen, then ${spoken(device)}.`;
  return device.mode === 'dictation' ? 'Speak: it is written down.' : 'Say a command.';
}

const spoken = ({ mode }) => (mode === 'dictation' ? 'speak' : 'say a command');

function muteButton({ device, busy }, act) {
  const { muted } = device.health;
  return html`<button
    class=${muted ? 'main' : ''}
    ?disabled=${busy.has('mute')}
    @click=${() => act.request('mute', { mute: !muted })}
  >
    ${muted ? 'Hear again' : 'Mute'}
  </button>`;
}

function meterView({ level, device }) {
  const shown = device.health.muted ? null : level;
  const at = shown === null ? 0 : onBar(shown.db);
  const noise = shown === null ? 0 : onBar(shown.noiseDb);
  return html`<div class="meter">
    <div
      class=${shown?.clipped ? 'bar clipped' : 'bar'}
      role="meter"
      aria-label="Level of the microphone"
      aria-valuemin="-80"
      aria-valuemax="-6"
      aria-valuenow=${shown === null ? -80 : Math.round(shown.db)}
      .style=${`--level: ${at}; --noise: ${noise}`}
    >
      <span class="fill"></span><span class="noise"></span>
    </div>
    <p class="small">${shown === null ? 'No sound' : levelWords(shown)}</p>
  </div>`;
}

const marks = {
  accepted: ['✓', 'Accepted'],
  ambiguous: ['?', 'Unclear'],
  'low-confidence': ['?', 'Unsure'],
  'not-a-command': ['✕', 'No command'],
  'too-long': ['✕', 'Too long'],
  noise: ['~', 'Noise'],
};

function utteranceView(u, state) {
  const kind = u.accepted ? 'accepted' : u.reason;
  const [mark, word] = marks[kind] ?? ['✕', kind];
  // What is no command was not said: its sentence is only the nearest one.
  const foreign = u.text === '' || kind === 'not-a-command';
  const about = [
    ...(foreign ? (u.text === '' ? [] : [`nearest: “${u.text}”`]) : [word]),
    ...(u.accepted ? [u.intent, ...slotsOf(u), ...(u.confirm ? ['to be confirmed'] : [])] : []),
    time(u.atMs),
  ];
  return html`<li class="card utterance ${kind}">
    <details>
      <summary>
        <span class="mark" aria-hidden="true">${mark}</span>
        <span class="what">
          <span class="text">${foreign ? word : u.text}</span>
          <span class="small">${about.join(' · ')}</span>
        </span>
        ${foreign ? nothing : html`<span class="sure">${percent(u.confidence)}</span>`}
      </summary>
      <div class="why">
        <p>${u.verdict}${u.advice === undefined ? nothing : html` ${u.advice}`}</p>
        ${u.parts.map(partView)}
        ${
          u.second === undefined
            ? nothing
            : html`<p class="small">Next best: <q>${u.second}</q></p>`
        }
        ${
          u.words.length === 0
            ? nothing
            : html`<p class="small">
                Word by word:
                ${u.words.map((w) => html`<span class="word">${w.word} ${percent(w.confidence)}</span> `)}
              </p>`
        }
        <p class="small">
          ${u.text === '' ? nothing : html`Answered after ${u.latencyMs} ms. `}Model ${u.model}
          ${
            u.text === ''
              ? nothing
              : html`<button class="link" @click=${() => state.trySentence(u.text)}>
                  Try this sentence
                </button>`
          }
        </p>
      </div>
    </details>
  </li>`;
}

const slotsOf = ({ slots }) =>
  Object.entries(slots).map(([name, value]) => `${name}: ${String(value)}`);

const partView = ({ question, probability, answer }) => html`
  <div class="part">
    <p><b>${question}</b> ${answer}</p>
    <div class="line">
      <progress max="1" .value=${probability} aria-label=${question}></progress>
      <span>${percent(probability)}</span>
    </div>
  </div>
`;
