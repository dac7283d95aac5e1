/** What an hour of a soak holds beside audio: everything that an operator, a fleet manager and a network do to a board. */
import { online, type SoakBoard } from './soak-board.js';

export interface Deed {
  readonly name: string;
  /** Share of the hour that has gone by. */
  readonly at: number;
  readonly run: (board: SoakBoard, hour: number) => Promise<void>;
}

const extra = '  SoakExtra:';
const withExtra = (text: string) =>
  text.includes(extra)
    ? text
    : text.replace(
        'intents:\n',
        `intents:\n${extra}\n    data:\n      - sentences: ['water the flowers']\n`,
      );
const withoutExtra = (text: string) => text.replace(/ {2}SoakExtra:\n.*\n.*\n/, '');
const openMs = { recognizer: { openMs: 900 } };

/** Waits until what was asked for is done. */
export const deeds: readonly Deed[] = [
  {
    name: 'sentences by SIGHUP',
    at: 0.04,
    run: async (board) => {
      await board.writeSentences(withExtra);
      await board.causes('config.reloaded', () => board.configure({}));
    },
  },
  { name: 'broker restart', at: 0.1, run: (board) => restart(board) },
  {
    name: 'configuration change',
    at: 0.18,
    run: (board) => board.causes('config.reloaded', () => board.configure(openMs)),
  },
  {
    name: 'configuration change',
    at: 0.25,
    run: (board) => board.causes('config.reloaded', () => board.configure({})),
  },
  {
    name: 'model update',
    at: 0.32,
    run: (board, hour) =>
      board.causes('update.committed', () =>
        board.causes('model.released', () => offer(board, `99.${hour}.0`)),
      ),
  },
  {
    name: 'wrong configuration refused',
    at: 0.46,
    run: (board) => board.causes('config.refused', () => board.writeConfig('{"device": 3')),
  },
  {
    name: 'mute and unmute',
    at: 0.52,
    run: async (board) => {
      for (const mute of [true, false]) await board.ask('mute', { mute });
    },
  },
  {
    name: 'thresholds by request',
    at: 0.56,
    run: async (board) => {
      for (const minConfidence of [0.9, 0.5])
        await board.ask('options', { options: { minConfidence } });
      // Back to what the file says.
      await board.causes('config.reloaded', () => board.configure({}));
    },
  },
  { name: 'self-test', at: 0.6, run: async (board) => void (await board.ask('selftest', {})) },
  {
    name: 'model refused by its self-test',
    at: 0.66,
    run: (board, hour) =>
      board.causes('update.rejected', () => offer(board, `99.${hour}.1`, 'something else')),
  },
  {
    name: 'roll-back',
    at: 0.78,
    run: (board) => board.causes('model.released', () => board.ask('rollback', {})),
  },
  { name: 'broker restart', at: 0.86, run: (board) => restart(board) },
  {
    name: 'sentences by request',
    at: 0.93,
    run: async (board) => {
      await board.writeSentences(withoutExtra);
      await board.causes('grammar.loaded', () => board.ask('grammar', {}));
    },
  },
];

/** All, or those whose names hold one of the words between commas. */
export function chosenDeeds(words: string | undefined): readonly Deed[] {
  if (words === undefined || words === 'none') return words === undefined ? deeds : [];
  const all = words.split(',');
  const chosen = deeds.filter(({ name }) => all.some((word) => name.includes(word)));
  if (chosen.length === 0)
    throw new Error(
      `--only ${words}: no deed has such a name: ${deeds.map(({ name }) => name).join(', ')}`,
    );
  return chosen;
}

/** The board looks each minute too, and may have come first: what is asked for is then refused, and what came of it counts. */
async function offer(board: SoakBoard, version: string, clipSays?: string): Promise<void> {
  await board.repository.publish(version, clipSays);
  await board.ask('update', { action: 'install' }).catch(() => undefined);
}

async function restart(board: SoakBoard): Promise<void> {
  await board.causes(online, () => board.restartBroker());
}
