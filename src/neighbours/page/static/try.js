/** "Does my sentence work?" */
import { html, nothing } from './lit/lit-html.js';

export const tryView = (state, act) => html`
  <section class="card" aria-label="Does my sentence work?">
    <h2>Does my sentence work?</h2>
    <form
      @submit=${(event) => {
        event.preventDefault();
        void act.trySentence(state.sentence);
      }}
    >
      <label for="sentence">A sentence, as it would be said</label>
      <div class="row">
        <input
          id="sentence"
          maxlength="300"
          autocomplete="off"
          autocapitalize="none"
          spellcheck="false"
          enterkeyhint="go"
          .value=${state.sentence}
          @input=${(event) => act.set({ sentence: event.target.value })}
        />
        <button
          class="main"
          ?disabled=${state.busy.has('sentence') || state.sentence.trim() === ''}
        >
          Check
        </button>
      </div>
    </form>
    <p class="small">
      Or say it to the microphone:
      <button class="link" @click=${() => act.open('live')}>watch it live</button>
    </p>
  </section>
  ${state.answer === null ? nothing : answerView(state.answer)}
`;

function answerView({
  text,
  allowed,
  intent,
  slots,
  confirm,
  stuck,
  said,
  mute,
  alike,
  alikeComplete,
}) {
  return html`<section class="card answer" aria-live="polite">
    <p class="verdict ${allowed ? 'good' : 'bad'}">
      <span class="mark" aria-hidden="true">${allowed ? '✓' : '✕'}</span>
      ${allowed ? 'Yes, it works.' : 'No, the sentences do not allow it.'}
    </p>
    <p class="text">“${text}”</p>
    ${
      allowed
        ? html`<dl>
            <dt>Command</dt>
            <dd>${intent}${confirm ? ' (to be confirmed)' : nothing}</dd>
            ${Object.entries(slots).map(
              ([name, value]) =>
                html`<dt>${name}</dt>
                  <dd>${String(value)}</dd>`,
            )}
          </dl>`
        : stuckView(stuck)
    }
    <h3>How it is pronounced</h3>
    ${
      mute === undefined
        ? said.map(
            ({ words, ways }) =>
              html`<div class="said">
                <p>${words}</p>
                ${ways.map(({ phones, source }) => html`<p class="phones">${phones} <span class="small">${source}</span></p>`)}
              </div>`,
          )
        : html`<p>“${mute}” has no pronunciation. Add it to the word list.</p>`
    }
    ${
      allowed
        ? html`<h3>What sounds alike</h3>
            ${
              alike.length === 0
                ? html`<p>
                    No other command is
                    near.${alikeComplete ? nothing : ' The search stopped at its limit.'}
                  </p>`
                : html`<ul class="alike">
                    ${alike.map(
                      ({ words, example, intent: other, distance }) =>
                        html`<li>
                          <p>
                            ${phrase(words[0])} and <b>${phrase(words[1])}</b>, as in “${example}”
                            (${other})
                          </p>
                          <p class="small">${nearness(distance)}</p>
                        </li>`,
                    )}
                  </ul>`
            }`
        : nothing
    }
  </section>`;
}

function nearness(distance) {
  if (distance === 0) return 'They sound the same.';
  return `${distance < 0.9 ? 'Very near' : 'Near'}: ${distance} sounds apart.`;
}

const phrase = (words) => (words === '' ? 'nothing' : `“${words}”`);

function stuckView({ after, word, expected, mayEnd }) {
  const where = after === '' ? 'At the beginning' : `After “${after}”`;
  return html`<p>
      ${
        word === ''
          ? html`It is not finished: after “${after}” more must follow.`
          : html`${where} comes <b>“${word}”</b>, which no sentence has there.`
      }
    </p>
    ${
      expected.length === 0
        ? html`<p>${mayEnd ? 'The sentence ends there.' : nothing}</p>`
        : html`<p>
            Possible there:
            ${expected.map((w) => html`<span class="word">${w}</span> `)}${mayEnd ? 'or the end.' : nothing}
          </p>`
    }`;
}
