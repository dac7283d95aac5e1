/** Metrics, the page and Wyoming: what others reach on this machine. */
import { basename, dirname } from 'node:path';
import type { Config } from '../../config/index.js';
import { tokenOf } from '../../neighbours/page/token.js';
import { labelOf, ownAddresses } from '../../neighbours/wyoming/announce.js';
import { fileFault, messageOf } from '../../runtime/errors.js';
import { isLoopback, parseListen } from '../../runtime/listen-address.js';
import { failed, ok, warning, type Finding } from './finding.js';
import { portFinding } from './ports.js';
import { demand } from './rights.js';

const get = (path: string) => `GET ${path} HTTP/1.0\r\nhost: localhost\r\n\r\n`;

export async function metricsFindings({ metrics }: Config): Promise<Finding[]> {
  const { listen, textfile } = metrics;
  const check = 'metrics';
  return [
    ...(listen === ''
      ? []
      : [
          await portFinding({
            ...{ check, key: 'metrics.listen', listen },
            ...{ ask: get('/metrics'), knownBy: /^kikitori_build_info/m },
          }),
        ]),
    ...(textfile === '' ? [] : [await textfileFinding(textfile)]),
  ];
}

async function textfileFinding(path: string): Promise<Finding> {
  const check = 'metrics';
  if (!path.endsWith('.prom'))
    return failed(
      check,
      `${path}: the textfile collector reads only files that end in .prom`,
      'set metrics.textfile to a name like kikitori.prom',
    );
  try {
    await demand(dirname(path), 'write');
  } catch (error) {
    return failed(
      check,
      `${dirname(path)}: ${fileFault(error)}`,
      'give the folder of metrics.textfile to the service, and add it to ReadWritePaths= of the unit (docs/metrics.md)',
    );
  }
  return ok(check, `${basename(path)} can be written to ${dirname(path)}`);
}

export async function pageFindings({ page }: Config): Promise<Finding[]> {
  if (page.listen === '') return [];
  const check = 'page';
  const port = await portFinding({
    ...{ check, key: 'page.listen', listen: page.listen },
    ...{ ask: get('/api/session'), knownBy: /"needsToken":/ },
  });
  try {
    tokenOf(page);
    return [port];
  } catch (error) {
    const todo = 'docs/page.md says how a token is made and where it is put';
    return [port, failed(check, messageOf(error), todo)];
  }
}

export async function wyomingFindings({ wyoming, device }: Config): Promise<Finding[]> {
  const { listen, announce } = wyoming;
  if (listen === '') return [];
  const check = 'wyoming';
  const port = await portFinding({
    ...{ check, key: 'wyoming.listen', listen },
    ...{ ask: '{"type": "describe"}\n', knownBy: /"name": ?"kikitori/ },
  });
  if (!announce) return [port];
  const { host } = parseListen(listen);
  if (isLoopback(host))
    return [
      port,
      warning(
        check,
        `${listen} is for this machine alone, so it is not announced`,
        'set wyoming.listen to 0.0.0.0 with the port, or wyoming.announce: false',
      ),
    ];
  try {
    const addresses = ownAddresses(host);
    if (addresses.length === 0)
      return [
        port,
        warning(
          check,
          'this machine has no address in a network to be announced at',
          'connect it, or tell Home Assistant host and port by hand',
        ),
      ];
    return [port, ok(check, `by mDNS it is ${labelOf(device.id)}.local, ${addresses.join(', ')}`)];
  } catch (error) {
    return [port, warning(check, messageOf(error), 'tell Home Assistant host and port by hand')];
  }
}
