/** Home Assistant and Sparkplug: neighbours that are met on a broker. */
import { linkOptions } from '../../agent/board.js';
import type { Config } from '../../config/index.js';
import { discoveryTopic } from '../../neighbours/home-assistant/discovery.js';
import { objectIdOf } from '../../neighbours/home-assistant/names.js';
import { linkOf } from '../../neighbours/sparkplug/broker.js';
import { topicsOf } from '../../publish/index.js';
import { shownAddress } from '../../runtime/address.js';
import { messageOf } from '../../runtime/errors.js';
import { holderOf } from '../../runtime/lock.js';
import { failed, ok, warning, type Finding } from './finding.js';
import { look } from './mqtt-look.js';

/** Discovery of any kind, whatever the prefix: of single entities and of whole devices. */
const anyDiscovery = ['+/+/+/config', '+/+/+/+/config'];

export async function homeAssistantFindings(config: Config): Promise<Finding[]> {
  const { publish, device, state } = config;
  const { enabled, prefix } = publish.homeAssistant;
  if (!enabled) return [];
  const check = 'home-assistant';
  const birth = `${prefix}/status`;
  const topics = topicsOf(publish.base, device.id);
  let seen;
  try {
    seen = await look(linkOptions(config), topics.response('doctor'), [
      birth,
      `${prefix}/+/+/config`,
      ...anyDiscovery,
    ]);
  } catch (error) {
    return [failed(check, messageOf(error), 'check the secrets named in publish.mqtt')];
  }
  const { why, refused, echoed, kept } = seen;
  if (why !== '') return [failed(check, `the broker: ${why}`, 'see the finding on the broker')];
  const findings: Finding[] = [];
  if (refused.has(birth))
    findings.push(
      warning(
        check,
        `the broker does not let this device read ${birth}: it does not see that Home Assistant begins`,
        'allow it in the access list of the broker (config/examples/mosquitto.acl)',
      ),
    );
  const told = discoveryTopic(prefix, objectIdOf(publish.base, device.id));
  const under = [...kept.keys()].filter((topic) => topic.endsWith('/config') && topic !== told);
  const here = under.filter((topic) => topic.startsWith(`${prefix}/`));
  const elsewhere = new Set(
    under.filter((topic) => !here.includes(topic)).map((topic) => topic.split('/')[0]),
  );
  if (here.length === 0 && elsewhere.size > 0)
    findings.push(
      warning(
        check,
        `nothing else is announced under ${prefix}, but under ${[...elsewhere].join(', ')}`,
        "is publish.homeAssistant.prefix the discovery prefix of Home Assistant's MQTT integration?",
      ),
    );
  const says = kept.get(birth);
  const signs = `${says === undefined ? '' : `; Home Assistant said ${says}`}; announced beside it: ${here.length}`;
  if (kept.has(told)) findings.push(ok(check, `this device is announced at ${told}${signs}`));
  else if ((await holderOf(state.dir)) === null)
    findings.push(ok(check, `will be announced at ${told}${signs}`));
  else if (!echoed)
    findings.push(
      ok(
        check,
        `a kikitori runs; whether it is announced at ${told} cannot be seen: the access list lets this device read nothing`,
      ),
    );
  else
    findings.push(
      warning(
        check,
        `a kikitori runs, and nothing is kept at ${told}`,
        'was it restarted since publish.homeAssistant was switched on? Does the access list let it write there, and does the broker keep messages?',
      ),
    );
  return findings;
}

export async function sparkplugFindings(config: Config): Promise<Finding[]> {
  const { publish, device } = config;
  const { enabled, group } = publish.sparkplug;
  if (!enabled) return [];
  const check = 'sparkplug';
  if (group === '')
    return [failed(check, 'an edge node is in a group', 'set publish.sparkplug.group')];
  const node = publish.sparkplug.node === '' ? device.id : publish.sparkplug.node;
  const commands = `spBv1.0/${group}/NCMD/${node}`;
  try {
    const own = linkOf(publish.sparkplug, linkOptions(config));
    const at = shownAddress(own.url);
    const { why, refused } = await look(own, topicsOf(publish.base, device.id).response('doctor'), [
      commands,
    ]);
    if (why !== '')
      return [failed(check, `${at}: ${why}`, 'check publish.sparkplug: address, password')];
    if (refused.has(commands))
      return [
        warning(
          check,
          `${at} does not let this device read ${commands}: hosts cannot ask for a birth`,
          'allow it in the access list of the broker',
        ),
      ];
    return [ok(check, `${group}/${node} at ${at}`)];
  } catch (error) {
    return [failed(check, messageOf(error), 'check the secrets named in publish.sparkplug')];
  }
}
