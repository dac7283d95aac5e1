import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Heard, SlotType } from '../../records.js';
import { atomicWrite } from '../../runtime/atomic-write.js';
import { codeOf, KikitoriError, messageOf } from '../../runtime/errors.js';
import { agentVersion } from '../../runtime/version.js';
import type { Changed, Context, House, Neighbour } from '../neighbour.js';
import { linkOf } from './broker.js';
import { EdgeNode } from './edge-node.js';
import type { DataType } from './payload.js';
import { typeOf, Values } from './values.js';

const slots = 'Command/Slots/';

/** The board as an edge node of Sparkplug B: the last command, the last refusal, health and model. */
export class Sparkplug implements Neighbour {
  private readonly values = new Values();
  private readonly node: EdgeNode;
  private commands = 0;
  private refusals = 0;
  private saving: Promise<void> = Promise.resolve();
  private saysUnsaved = true;

  private constructor(
    private readonly house: House,
    lastSession: number | null,
    private readonly path: string,
  ) {
    const { device, publish } = house.config();
    const { group, node } = publish.sparkplug;
    const { clock, random, log } = house;
    this.begin();
    this.node = new EdgeNode({
      ...{
        group,
        node: node === '' ? device.id : node,
        link: linkOf(publish.sparkplug, house.broker()),
        lastSession,
      },
      onSession: (session) => this.save(session),
      birth: () => this.values.birth(),
      ...{ clock, random, log },
    });
    this.node.open();
  }

  static async open(house: House): Promise<Sparkplug> {
    const { publish, state } = house.config();
    if (publish.sparkplug.group === '')
      throw new KikitoriError('an edge node is in a group', {
        kind: 'config',
        where: 'publish.sparkplug.group',
        expected: 'a name like hall-3',
      });
    const path = join(state.dir, 'sparkplug', 'session.json');
    return new Sparkplug(house, await lastSessionOf(path), path);
  }

  heard(heard: Heard, context: Context): void {
    const { startedAtMs, endedAtMs, latencyMs } = context;
    const set = (name: string, type: DataType, value: string | number | boolean) =>
      this.values.set(name, type, value, endedAtMs, true);
    if (heard.accepted) {
      set('Command/Count', 'Int64', ++this.commands);
      set('Command/Id', 'String', `${context.boot}-${context.seq}`);
      set('Command/Intent', 'String', heard.intent ?? '');
      set('Command/Text', 'String', heard.text);
      set('Command/Confidence', 'Double', heard.confidence);
      set('Command/Confirm', 'Boolean', heard.confirm === true);
      set('Command/Started', 'DateTime', Math.round(startedAtMs));
      set('Command/Latency ms', 'Int64', Math.round(latencyMs));
      this.values.fill(slots, heard.slots, endedAtMs);
    } else {
      set('Refused/Count', 'Int64', ++this.refusals);
      set('Refused/Reason', 'String', heard.reason ?? 'low-confidence');
      set('Refused/Text', 'String', heard.text);
      set('Refused/Confidence', 'Double', heard.confidence);
    }
    this.tell();
  }

  changed(what: Changed): void {
    if (what === 'health') this.health();
    if (what === 'info') this.info();
    this.tell();
  }

  async close(): Promise<void> {
    await this.node.close();
    await this.saving;
  }

  private tell(): void {
    if (this.values.needsBirth) this.node.bearAgain();
    else this.node.data(this.values.changes());
  }

  /** All that will ever be told, also what is not known yet: a birth names every metric. */
  private begin(): void {
    const now = this.house.clock.now();
    const none: readonly (readonly [string, DataType])[] = [
      ['Command/Id', 'String'],
      ['Command/Intent', 'String'],
      ['Command/Text', 'String'],
      ['Command/Confidence', 'Double'],
      ['Command/Confirm', 'Boolean'],
      ['Command/Started', 'DateTime'],
      ['Command/Latency ms', 'Int64'],
      ['Refused/Reason', 'String'],
      ['Refused/Text', 'String'],
      ['Refused/Confidence', 'Double'],
      // Not in the health message before the first command.
      ['Health/confidence', 'Double'],
    ];
    for (const [name, type] of none) this.values.declare(name, type, now);
    for (const name of ['Command/Count', 'Refused/Count']) this.values.set(name, 'Int64', 0, now);
    this.health();
    this.info();
  }

  private health(): void {
    const now = this.house.clock.now();
    for (const [name, value] of Object.entries(this.house.health()))
      if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
        this.values.set(`Health/${name}`, typeOf(value), value, now);
  }

  private info(): void {
    const { house, values } = this;
    const now = house.clock.now();
    const { name, version } = house.engine().bundle.manifest;
    values.set('Properties/Software', 'String', 'kikitori', now);
    values.set('Properties/Version', 'String', agentVersion, now);
    values.set('Properties/Model/Name', 'String', name, now);
    values.set('Properties/Model/Version', 'String', version, now);
    values.set('Properties/Grammar/SHA256', 'String', house.grammar().sha256, now);
    const slotTypes = [...house.grammar().slots].map(
      ([slot, types]) => [slot, dataTypeOf(types)] as const,
    );
    values.only(slots, new Map(slotTypes), now);
  }

  /** The next run goes on from here: a will of this run that comes late is not mistaken for one of the next. */
  private save(session: number): void {
    this.saving = this.saving.then(async () => {
      try {
        await mkdir(join(this.path, '..'), { recursive: true });
        await atomicWrite(this.path, `${JSON.stringify({ bdSeq: session })}\n`);
        this.saysUnsaved = true;
      } catch (error) {
        if (this.saysUnsaved)
          this.house.log.warn(
            { event: 'sparkplug.not-saved', path: this.path, why: messageOf(error) },
            'the number of the session is not kept for the next start',
          );
        this.saysUnsaved = false;
      }
    });
  }
}

/** Of a slot: values of several types are told as texts. */
function dataTypeOf(types: ReadonlySet<SlotType>): DataType {
  const [type] = types;
  if (types.size !== 1 || type === undefined) return 'String';
  return ({ number: 'Double', boolean: 'Boolean', string: 'String' } as const)[type];
}

/** null: the first run, or nothing that can be read. */
async function lastSessionOf(path: string): Promise<number | null> {
  try {
    const { bdSeq } = JSON.parse(await readFile(path, 'utf8')) as { bdSeq?: unknown };
    return typeof bdSeq === 'number' && Number.isInteger(bdSeq) && bdSeq >= 0 ? bdSeq : null;
  } catch (error) {
    if (error instanceof SyntaxError || codeOf(error) !== undefined) return null;
    throw error;
  }
}
