import { join } from 'node:path';
import { linkOptions } from '../../agent/board.js';
import type { Config } from '../../config/index.js';
import { Link, setAsideIn, setAsideName, topicsOf, type Limits } from '../../publish/index.js';
import { systemClock } from '../../runtime/clock.js';
import { shownAddress } from '../../runtime/address.js';
import { messageOf } from '../../runtime/errors.js';
import type { Finding } from './finding.js';

const check = 'broker';
/** About as large as the retained info and the longest commands. */
const probeBytes = 4000;
const limitMs = 45_000;
/** So often a connection may be closed in place of an answer before that is the finding. */
const unansweredMax = 6;

interface Answer {
  /** Why there is no connection, or ''. */
  readonly why: string;
  readonly limits?: Limits;
  /** Why a message of `probeBytes` was not taken, or ''. */
  readonly probe: string;
}

/** Connects as the daemon does, finds out what the broker takes, and says what to do about what it does not. */
export async function brokerCheck(config: Config): Promise<Finding[]> {
  try {
    const begin = performance.now();
    const answer = await ask(config);
    const tookMs = Math.round(performance.now() - begin);
    return [
      finding(config, answer, tookMs),
      ...(await unseenRefusals(config, answer)),
      ...(await outboxFindings(config)),
    ];
  } catch (error) {
    const todo = 'check the secrets named in publish.mqtt';
    return [{ check, status: 'failed', what: messageOf(error), todo }];
  }
}

function finding(config: Config, { why, limits, probe }: Answer, tookMs: number): Finding {
  const { username } = config.publish.mqtt;
  const url = shownAddress(config.publish.mqtt.url);
  const as = username === '' ? '' : ' with its username';
  if (limits === undefined)
    return {
      check,
      status: 'failed',
      what: `${url}${as}: ${why}`,
      todo: 'check publish.mqtt: address, password, certificates',
    };
  const spoken = limits.protocolVersion === 5 ? 'MQTT 5' : 'MQTT 3.1.1';
  const what = `${url} answered in ${spoken}, connected and left in ${tookMs} ms`;
  if (config.publish.qos === 1 && limits.qos === 0)
    return {
      check,
      status: 'failed',
      what: `${what}; it acknowledges no messages (no QoS 1): commands wait in the outbox`,
      todo: 'another broker, or publish.qos: 0 (docs/mqtt says what that costs)',
    };
  if (config.publish.retain && !limits.retain)
    return {
      check,
      status: 'warning',
      what: `${what}; it keeps no retained messages`,
      todo: 'another broker, or publish.retain: false: who subscribes later then does not see state, info, health and update',
    };
  if (probe !== '' && isRefusal(probe)) return mayNotWrite(what, probe);
  if (probe !== '')
    return {
      check,
      status: 'warning',
      what: `${what}; it does not take a message of ${probeBytes} bytes: ${probe}`,
      todo: 'raise its limit (mosquitto: max_packet_size) and look at its access list: larger messages are set aside, info is shortened',
    };
  return { check, status: 'ok', what };
}

const isRefusal = (probe: string) => probe.startsWith('Not authorized');

const mayNotWrite = (what: string, probe: string): Finding => ({
  check,
  status: 'failed',
  what: `${what}; it does not let this device write its topics: ${probe}`,
  todo: 'correct its access list (config/examples/mosquitto.acl); until then messages wait in the outbox',
});

/**
 * MQTT 3.1.1 has no word for a refused message: the broker acknowledges it and throws it away. So where the device is
 * somebody at the broker, it is asked once in MQTT 5, which has, or it is said that this broker has no such word.
 */
async function unseenRefusals(config: Config, answer: Answer): Promise<Finding[]> {
  const { mqtt } = config.publish;
  const isSomebody = mqtt.username !== '' || mqtt.certFile !== '';
  if (answer.limits?.protocolVersion !== 4 || !isSomebody) return [];
  if (mqtt.protocolVersion === 'auto')
    return [
      {
        check,
        status: 'warning',
        what: 'this broker speaks MQTT 3.1.1 alone: it acknowledges also what its access list forbids, and that is lost',
        todo: 'let it speak MQTT 5, or see that its access list lets this device write all of its topics',
      },
    ];
  const in5 = { ...mqtt, protocolVersion: 5 as const };
  const { limits, probe } = await ask({ ...config, publish: { ...config.publish, mqtt: in5 } });
  if (limits === undefined) return [];
  if (isRefusal(probe)) return [mayNotWrite('asked in MQTT 5', probe)];
  return [
    {
      check,
      status: 'warning',
      what: 'in MQTT 3.1.1 a broker acknowledges also what its access list forbids, and it is lost; this one speaks MQTT 5',
      todo: 'leave publish.mqtt.protocolVersion at auto, then such messages wait, and log and health say it',
    },
  ];
}

async function ask(config: Config): Promise<Answer> {
  const topics = topicsOf(config.publish.base, config.device.id);
  const options = linkOptions(config);
  let limits: Limits | undefined;
  return new Promise<Answer>((resolve) => {
    const finish = (answer: Answer) => {
      cancel();
      void link.close(1000).then(() => resolve(answer));
    };
    const cancel = systemClock.after(limitMs, () =>
      finish({ why: `no answer within ${limitMs / 1000} s`, probe: '' }),
    );
    const link = new Link({
      ...options,
      clientId: `${options.clientId}-doctor`,
      // A state topic of its own: the running service's must not be touched.
      will: { topic: `${topics.state}/doctor`, payload: '' },
      subscribe: topics.response('doctor'),
      clock: systemClock,
      random: Math.random,
      onUp: (found) => {
        limits = found;
        const text = JSON.stringify({ status: 'ok', data: {}, error: '' });
        link
          .publish(topics.response('doctor'), text.padEnd(probeBytes), { qos: 1 })
          .then(() => finish({ why: '', limits, probe: '' }))
          .catch((error: unknown) => {
            // When the connection has ended, onDown says why.
            if (link.connected) finish({ why: '', limits: found, probe: messageOf(error) });
          });
      },
      onDown: (why, { unanswered, asksLess }) => {
        if (limits !== undefined) finish({ why: '', limits, probe: why });
        else if (!asksLess && (unanswered === 0 || unanswered >= unansweredMax))
          finish({ why, probe: '' });
      },
      onSubscribeRefused: () => undefined,
      onMessage: () => undefined,
    });
    link.open();
  });
}

/** What was set aside waits for a person. */
async function outboxFindings(config: Config): Promise<Finding[]> {
  const dir = join(config.state.dir, 'outbox');
  const count = await setAsideIn(dir);
  if (count === 0) return [];
  return [
    {
      check: 'outbox',
      status: 'warning',
      what: `${count} messages that the broker did not take were set aside`,
      todo: `look at ${join(dir, setAsideName)}: each line says why; then delete it`,
    },
  ];
}
