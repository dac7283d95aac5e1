/** The file of sentences, edited where the faults are shown. */
import { html, nothing } from './lit/lit-html.js';

export function sentencesView({ grammar, busy }, act) {
  if (grammar === null) return html`<p class="card empty">Loading the sentences …</p>`;
  const { name, text, readOnly, draft, result } = grammar;
  if (text === null)
    return html`<section class="card">
      <h2>Sentences</h2>
      <p class="note">${readOnly}</p>
    </section>`;
  const faults = result?.faults ?? result?.warnings ?? [];
  const working = busy.has('grammar/check') || busy.has('grammar/save');
  return html`<section class="card" aria-label="Sentences">
    <h2>Sentences <span class="small">${name}</span></h2>
    ${readOnly === undefined ? nothing : html`<p class="note">${readOnly}</p>`}
    <div class="editor">
      <pre class="gutter" aria-hidden="true">${gutter(draft, result)}</pre>
      <textarea
        id="grammar"
        aria-label="Sentences"
        wrap="off"
        spellcheck="false"
        autocapitalize="none"
        autocomplete="off"
        ?readonly=${readOnly !== undefined}
        .value=${draft}
        @input=${(event) => act.draft(event.target.value)}
        @scroll=${(event) => {
          event.target.previousElementSibling.scrollTop = event.target.scrollTop;
        }}
      ></textarea>
    </div>
    <div class="result" aria-live="polite">${resultView(result, faults)}</div>
    <div class="buttons">
      <button ?disabled=${working} @click=${() => act.check()}>Check</button>
      ${
        readOnly === undefined
          ? html`<button
                class="main"
                ?disabled=${working || draft === text}
                @click=${() => act.save()}
              >
                Save
              </button>
              <button ?disabled=${working || draft === text} @click=${() => act.loadGrammar()}>
                Undo
              </button>`
          : nothing
      }
    </div>
    <p class="small">
      Saved only when it is right. The old file is kept beside it as ${name}.before. New sentences
      are heard from the next utterance on.
    </p>
  </section>`;
}

/** Line numbers; a line with a fault has a mark as well as a colour. */
function gutter(draft, result) {
  const bad = new Set((result?.faults ?? []).map(({ line }) => line));
  const warned = new Set((result?.warnings ?? []).map(({ line }) => line));
  return draft.split('\n').map((_, i) => {
    const line = i + 1;
    // The line break is a value of its own: formatters take it out of a template.
    if (bad.has(line)) return [html`<b class="bad">✕${line}</b>`, '\n'];
    if (warned.has(line)) return [html`<b class="warn">!${line}</b>`, '\n'];
    return `${line}\n`;
  });
}

function resultView(result, faults) {
  if (result === null) return nothing;
  const { ok, refused, saved, sentences, more = 0 } = result;
  const count = sentences === null ? 'Very many' : sentences?.toLocaleString();
  const verdict = ok
    ? `${saved ? 'Saved and in use' : 'It is right'}: ${count} sentences.`
    : (refused ??
      `Not ${saved === undefined ? 'right' : 'saved'}: ${faultCount(faults.length + more)}.`);
  return html`<p class="verdict ${ok ? 'good' : 'bad'}">
      <span class="mark" aria-hidden="true">${ok ? '✓' : '✕'}</span> ${verdict}
    </p>
    ${
      faults.length === 0
        ? nothing
        : html`<ul class="faults">
            ${faults.map(
              ({ line, column, message }) =>
                html`<li>
                  <button class="link" @click=${() => goTo(line, column)}>Line ${line}</button>
                  ${ok ? 'Note: ' : nothing}${message}
                </li>`,
            )}
          </ul>`
    }
    ${more > 0 ? html`<p class="small">and ${more} more</p>` : nothing}`;
}

const faultCount = (count) => (count === 1 ? 'one fault' : `${count} faults`);

/** The cursor where the fault is. */
function goTo(line, column) {
  const area = document.getElementById('grammar');
  const lines = area.value.split('\n');
  const before = lines.slice(0, line - 1).reduce((sum, text) => sum + text.length + 1, 0);
  const end = before + (lines[line - 1]?.length ?? 0);
  area.focus();
  area.setSelectionRange(Math.min(before + column - 1, end), end);
  const height = area.scrollHeight / lines.length;
  area.scrollTop = Math.max(0, (line - 4) * height);
}
