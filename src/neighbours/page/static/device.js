/** How the device fares. */
import { html, nothing } from './lit/lit-html.js';
import { duration, microphoneWords, percent, size, updateWords } from './words.js';

const row = (name, value) =>
  html`<dt>${name}</dt>
    <dd>${value}</dd>`;

/** `what` is updated; of the bundle the rows need no name. */
const updateRows = (update, what = 'model') => {
  const named = (name) => (what === 'model' ? name : `${name} (${what})`);
  return html`
    ${row(named('Update'), updateWords(update, what))}
    ${update.progress === null ? nothing : row(named('Downloaded'), html`<progress max="100" .value=${update.progress}></progress> ${update.progress} %`)}
    ${update.latestVersion === null ? nothing : row(named('Offered'), update.latestRefused ? `${update.latestVersion}: was not good here, and is not taken again` : update.latestVersion)}
    ${update.error === undefined ? nothing : row(named('Why'), update.error)}
  `;
};

const languageModelWords = ({ name, version, words }) =>
  `${name === undefined ? 'A file' : `${name} ${version}`}, ${words.toLocaleString()} words`;

export const deviceView = (state, act) => {
  const { device, selftest, busy, needsToken } = state;
  const { health, outbox, model, update, languageModel, languageUpdate } = device;
  return html`
    <section class="card" aria-label="Health">
      <h2>Health</h2>
      <dl>
        ${row('Microphone', microphoneWords(health.mic))}
        ${row('Processor for hearing', percent(health.rtf))}
        ${row('Last answer after', health.latencyMs === 0 ? '–' : `${health.latencyMs} ms`)}
        ${health.audioLostMs > 0 ? row('Not heard', `${duration(Math.ceil(health.audioLostMs / 1000))} since the start: the processor was too slow, or others had it`) : nothing}
        ${row('Accepted', `${health.accepted} since the start`)} ${row('Refused', health.rejected)}
        ${row('Memory', `${health.rssMb} MB`)} ${row('Running for', duration(health.uptimeS))}
        ${row('Clock', health.clockSynced ? 'Right' : 'Not set by the network: times may be wrong')}
      </dl>
      <div class="buttons">
        <button ?disabled=${busy.has('selftest')} @click=${() => act.selftest()}>
          ${busy.has('selftest') ? 'Testing …' : 'Self-test'}
        </button>
      </div>
      <div class="result" aria-live="polite">
        ${selftest === null ? nothing : selftestView(selftest)}
      </div>
    </section>
    <section class="card" aria-label="Outbox">
      <h2>Outbox</h2>
      <dl>
        ${row('Broker', outbox.connected ? 'Connected' : 'Not reached: commands wait on the disk')}
        ${row('Waiting', outbox.queued === 0 ? 'Nothing' : `${outbox.queued} (${size(outbox.queuedBytes)})`)}
        ${row('Sent', outbox.published)}
        ${outbox.dropped === 0 ? nothing : row('Dropped', outbox.dropped)}
        ${outbox.setAside === 0 ? nothing : row('Set aside', `${outbox.setAside}: the broker did not take them`)}
        ${outbox.lacks.length === 0 ? nothing : row('The broker lacks', outbox.lacks.join(', '))}
      </dl>
    </section>
    <section class="card" aria-label="Model and update">
      <h2>Model and update</h2>
      <dl>
        ${row('Model', `${model.name} ${model.version}`)}
        ${row('Sentences', device.sentences === null ? 'Very many' : device.sentences.toLocaleString())}
        ${updateRows(update)}
        ${languageModel === undefined ? nothing : row('Language model', languageModelWords(languageModel))}
        ${languageUpdate === null ? nothing : updateRows(languageUpdate, 'language model')}
        ${row('kikitori', device.version)}
      </dl>
    </section>
    ${
      needsToken
        ? html`<div class="buttons">
            <button @click=${() => act.leave()}>Forget the token on this phone</button>
          </div>`
        : nothing
    }
  `;
};

function selftestView({ passed, wanted, heard, confidence, realTimeFactor, error }) {
  const words =
    error ??
    (passed ? 'It hears its own test sentence.' : 'It does not hear its own test sentence.');
  return html`<p class="verdict ${passed ? 'good' : 'bad'}">
      <span class="mark" aria-hidden="true">${passed ? '✓' : '✕'}</span> ${words}
    </p>
    ${
      error === undefined
        ? html`<p class="small">
            Wanted “${wanted}”, heard ${heard === '' ? 'nothing' : `“${heard}”`},
            ${percent(confidence)} sure; it took ${percent(realTimeFactor)} of the sentence's own
            time.
          </p>`
        : nothing
    }`;
}
