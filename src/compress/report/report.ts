import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { storedDigest } from '../../bundle/index.js';
import { Engine } from '../../engine/engine.js';
import type { GrammarDetails } from '../../recognizer/index.js';
import type { Label } from '../../measure/evaluate/labels.js';
import type { Interval } from '../../measure/evaluate/statistics.js';
import {
  dictatedRates,
  measureSets,
  type DictatedRate,
  type DictatedSets,
  type FreeSpeech,
} from './dictated.js';
import { kept, Remaining, type Progress } from './kept.js';
import {
  keptClips,
  measureOrders,
  measurePrompts,
  promptsKey,
  type Condition,
  type OrdersResult,
  type PromptResult,
  type PromptSet,
  type ReadClip,
  type Tick,
} from './measure.js';
import { pairedDifference, rateOf } from '../../measure/evaluate/paired.js';

export interface OrderSet {
  readonly folder: string;
  readonly labels: readonly Label[];
  readonly grammarPath: string;
  readonly conditions: readonly Condition[];
}

export interface Subject {
  readonly name: string;
  /** A bundle. */
  readonly path: string;
  /**
   * A point of the trade-off curve, and no row of the tables; `tuned`: after fine-tuning; `tau`: at the
   * ranks of the published rule, not of a budget, so that it lies on no line.
   */
  readonly curve?: { readonly method: string; readonly tuned?: boolean; readonly tau?: number };
  /** What it is to the candidate of that name. */
  readonly of?: { readonly candidate: string; readonly as: 'before' | 'control' };
}

/** A process of its own that loads a bundle and hears some orders: real time and memory of one network alone. */
export type Cost = (
  path: string,
) => Promise<{ realTimeFactor: number; peakMemoryMb: number } | null>;

export interface ReportOptions extends Progress {
  readonly dense: Subject;
  readonly candidates: readonly Subject[];
  readonly prompts: readonly PromptSet[];
  /** The prompts as dictation too. */
  readonly freeSpeech?: FreeSpeech;
  readonly orders?: OrderSet;
  /** Where finished measurements are kept, so that a report cut off goes on where it was. */
  readonly folder: string;
  readonly cost: Cost;
}

export interface Measured {
  readonly prompts: Readonly<Record<string, PromptResult>>;
  readonly dictated: DictatedSets;
  readonly orders: readonly OrdersResult[];
  readonly cost: { readonly realTimeFactor: number; readonly peakMemoryMb: number } | null;
}

export interface Row {
  readonly name: string;
  readonly path: string;
  readonly sha256: string;
  readonly layers: readonly number[];
  readonly ranks: readonly number[];
  readonly inputRank: number;
  readonly weights: string;
  readonly parameters: number;
  /** Of every file that the recogniser loads, the manifest among them; and of the network alone. */
  readonly bytes: number;
  readonly networkBytes: number;
  /** The network as it lies in the bundle, packed or not. */
  readonly networkStoredBytes: number;
  readonly curve?: Subject['curve'];
  readonly of?: Subject['of'];
  /** Of a candidate with a control: its rates less the control's. */
  readonly lessControl?: {
    readonly phoneError: Readonly<Record<string, Interval>>;
    readonly ordersRight: Readonly<Record<string, Interval>>;
  };
  /** Per set, and `all` of them together where there are several: rates, and the candidate's less the dense one's. */
  readonly phoneError: Readonly<Record<string, Rate>>;
  readonly wordError: Readonly<Record<string, Rate>>;
  /** Word errors of dictation; none without a language model. */
  readonly dictated: Readonly<Record<string, DictatedRate>>;
  readonly ordersRight: Readonly<Record<string, Rate>>;
  readonly ordersAccepted: Readonly<Record<string, Rate>>;
  readonly realTimeFactor: number | null;
  readonly peakMemoryMb: number | null;
}

export interface Rate {
  readonly rate: number;
  /** Absent for the dense network. */
  readonly difference?: Interval;
}

export interface Report {
  readonly format: 1;
  readonly dense: Row;
  readonly candidates: readonly Row[];
  readonly clips: Readonly<Record<string, number>>;
  /** In which each order is heard at each level. */
  readonly noises: readonly string[];
  readonly languageModel?: { readonly name: string; readonly sha256: string };
}

/** Name of the row of all sets together. */
export const everySet = 'all';

/** Measures everything that is not measured yet and puts it together. */
export async function report(options: ReportOptions): Promise<Report> {
  const { dense, candidates, prompts, orders, freeSpeech } = options;
  await mkdir(join(options.folder, 'partial'), { recursive: true });
  const subjects = [dense, ...candidates];
  const promptsEach = prompts.reduce((sum, s) => sum + s.prompts.length, 0);
  const ordersEach = orders === undefined ? 0 : orders.labels.length * orders.conditions.length;
  const full = subjects.filter((s) => s.curve === undefined).length;
  const fullEach = ordersEach + (freeSpeech === undefined ? 0 : promptsEach);
  const clock = new Remaining(subjects.length * promptsEach + full * fullEach, options);
  const rows: Row[] = [];
  const read = keptClips();
  const all = new Map<string, Measured>();
  for (const subject of subjects) {
    const engine = await Engine.open({ modelPath: subject.path });
    const measured = await measureOne(subject, engine, { ...options, read }, clock);
    const summed = {
      ...measured,
      prompts: withEverySet(measured.prompts),
      dictated: withEveryClip(measured.dictated),
    };
    rows.push(rowOf(subject, engine, summed, all.get(dense.name)));
    all.set(subject.name, summed);
    await engine.close();
  }
  const [denseRow, ...others] = rows.map((row) => withControl(row, subjects, all));
  if (denseRow === undefined) throw new Error('nothing was measured');
  return {
    format: 1,
    dense: denseRow,
    candidates: others,
    clips: {
      ...Object.fromEntries(prompts.map((s) => [s.name, s.prompts.length])),
      ...(orders === undefined ? {} : { orders: orders.labels.length }),
    },
    noises: [
      ...new Set(orders?.conditions.flatMap((c) => c.mixed?.noises.map((n) => n.name) ?? [])),
    ],
    ...(freeSpeech === undefined
      ? {}
      : { languageModel: { name: freeSpeech.name, sha256: freeSpeech.sha256 } }),
  };
}

async function measureOne(
  subject: Subject,
  engine: Engine,
  o: ReportOptions & { readonly read: ReadClip },
  clock: Remaining,
): Promise<Measured> {
  const ticks =
    (what: string): Tick =>
    () =>
      clock.step(`${subject.name}, ${what}`);
  const prompts: Record<string, PromptResult> = {};
  for (const set of o.prompts) {
    const key = [engine.bundle.sha256, 'prompts', promptsKey(set)];
    prompts[set.name] = await kept(o.folder, key, clock, set.prompts.length, () =>
      measurePrompts(engine, set.folder, set.prompts, ticks(set.name), o.read),
    );
  }
  // A point of the curve is its phone error.
  if (subject.curve !== undefined) return { prompts, dictated: {}, orders: [], cost: null };
  const dictated = await measureSets(engine, o, clock, ticks);
  const orders: OrdersResult[] = [];
  let grammar: GrammarDetails | undefined;
  const set = o.orders;
  for (const condition of set?.conditions ?? []) {
    if (set === undefined) break;
    grammar ??= await engine.compile({ grammarPath: set.grammarPath });
    const rules = grammar;
    const key = [
      engine.bundle.sha256,
      'orders',
      JSON.stringify(set.labels),
      condition.name,
      (condition.mixed?.noises ?? []).map((n) => n.name).join(' '),
      grammar.sha256,
    ];
    orders.push(
      await kept(o.folder, key, clock, set.labels.length, () =>
        measureOrders(
          engine,
          rules,
          set.folder,
          set.labels,
          condition,
          ticks(`orders, ${condition.name}`),
          o.read,
        ),
      ),
    );
  }
  const cost = await kept(o.folder, [engine.bundle.sha256, 'cost'], clock, 0, () =>
    o.cost(subject.path),
  );
  return { prompts, dictated, orders, cost };
}

/** With the clips of all sets as one more; a file that two sets share counts once. */
export function withEverySet(prompts: Measured['prompts']): Measured['prompts'] {
  const sets = Object.values(prompts);
  const [first] = sets;
  if (first === undefined || sets.length === 1 || everySet in prompts) return prompts;
  const together = (pick: 'phones' | 'words') => [
    ...new Map(sets.flatMap((s) => s[pick]).map((part) => [part.file, part])).values(),
  ];
  return {
    ...prompts,
    [everySet]: { ...first, phones: together('phones'), words: together('words') },
  };
}

/** The same of dictated prompts. */
function withEveryClip(sets: DictatedSets): DictatedSets {
  const all = Object.values(sets).flat();
  if (Object.keys(sets).length < 2 || everySet in sets) return sets;
  return { ...sets, [everySet]: [...new Map(all.map((clip) => [clip.file, clip])).values()] };
}

/** The interval of a candidate against its control, clip by clip. */
function withControl(
  row: Row,
  subjects: readonly Subject[],
  all: ReadonlyMap<string, Measured>,
): Row {
  const control = subjects.find((s) => s.of?.as === 'control' && s.of.candidate === row.name);
  const [own, other] = [all.get(row.name), all.get(control?.name ?? '')];
  if (own === undefined || other === undefined) return row;
  const phoneError = Object.fromEntries(
    Object.entries(own.prompts).map(([set, { phones }]) => [
      set,
      pairedDifference(other.prompts[set]?.phones ?? [], phones),
    ]),
  );
  const ordersRight = Object.fromEntries(
    own.orders.map(({ condition, wrong }) => {
      const before = other.orders.find((d) => d.condition === condition)?.wrong ?? [];
      return [condition, negated(pairedDifference(before, wrong))];
    }),
  );
  return { ...row, lessControl: { phoneError, ordersRight } };
}

function rowOf(
  subject: Subject,
  engine: Engine,
  measured: Measured,
  dense: Measured | undefined,
): Row {
  const { manifest } = engine.bundle;
  const files = Object.values(manifest.files);
  const network = manifest.network as {
    layers: readonly number[];
    ranks?: readonly number[];
    inputRank?: number;
  };
  const rates = (pick: 'phones' | 'words') =>
    Object.fromEntries(
      Object.entries(measured.prompts).map(([name, result]) => [
        name,
        {
          rate: rateOf(result[pick]),
          ...(dense?.prompts[name] === undefined
            ? {}
            : { difference: pairedDifference(dense.prompts[name][pick], result[pick]) }),
        },
      ]),
    );
  const orders = (pick: 'wrong' | 'wrongOrRefused') =>
    Object.fromEntries(
      measured.orders.map((result) => {
        const before = dense?.orders.find((d) => d.condition === result.condition);
        return [
          result.condition,
          {
            rate: 1 - rateOf(result[pick]),
            ...(before === undefined
              ? {}
              : { difference: negated(pairedDifference(before[pick], result[pick])) }),
          },
        ];
      }),
    );
  const first = Object.values(measured.prompts)[0];
  const file = manifest.files['model.onnx'];
  return {
    name: subject.name,
    path: subject.path,
    sha256: engine.bundle.sha256,
    layers: network.layers,
    ranks: network.ranks ?? [],
    inputRank: network.inputRank ?? 0,
    weights: manifest.quantization.weights,
    parameters: manifest.network.parameters,
    bytes: files.reduce(
      (sum, f) => sum + storedDigest(f).bytes,
      engine.bundle.file('manifest.json').length,
    ),
    networkBytes: file?.bytes ?? 0,
    networkStoredBytes: file === undefined ? 0 : storedDigest(file).bytes,
    ...(subject.curve === undefined ? {} : { curve: subject.curve }),
    ...(subject.of === undefined ? {} : { of: subject.of }),
    phoneError: rates('phones'),
    wordError: rates('words'),
    dictated: dictatedRates(measured.dictated, dense?.dictated),
    ordersRight: orders('wrong'),
    ordersAccepted: orders('wrongOrRefused'),
    realTimeFactor: measured.cost?.realTimeFactor ?? first?.realTimeFactor ?? null,
    peakMemoryMb: measured.cost?.peakMemoryMb ?? null,
  };
}

const negated = ({ value, low, high }: Interval): Interval => ({
  value: -value,
  low: -high,
  high: -low,
});
