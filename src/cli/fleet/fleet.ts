import { unknownAction, type CommandRun } from '../shared/command.js';

const usage = `kikitori fleet init DIR [--root-keys N] [--root-threshold N] [--channels stable,beta]
       kikitori fleet publish FILE.tar --channel NAME [--rollout PERCENT] [--groups a,b] [--downgrade]
       kikitori fleet rollout NAME [--percent N] [--groups a,b] [--pause | --resume | --abort]
       kikitori fleet rollout NAME --auto STAGES.yaml --broker URL [--after COMMAND] [--every SECONDS]
       kikitori fleet publish|rollout|revoke|refresh ... --as NAME --submit FILE.tar   (a second publisher)
       kikitori fleet accept FILE.tar
       kikitori fleet status --broker URL [--html FILE]
       kikitori fleet watch --broker URL [--store DIR] [--html FILE] [--every SECONDS]
       kikitori fleet revoke NAME@VERSION
       kikitori fleet list
       kikitori fleet refresh [--root]
       kikitori fleet channel add NAME
       kikitori fleet key list | add ROLE | remove ROLE ID | rotate ROLE [ID] | new --role NAME --out DIR
       kikitori fleet delegate add NAME --public FILE... [--threshold N] | remove NAME

       --fleet DIR              folder of the fleet (default: $KIKITORI_FLEET, else the current one)
       --keys DIR               further folder with private keys, such as a USB stick; repeatable
       --passphrase-file FILE   else $KIKITORI_FLEET_PASSPHRASE[_ROLE], else asked
       --json                   one JSON object a line`;

type Sub = { load: () => Promise<CommandRun> };

const subs: Record<string, Sub> = {
  init: { load: async () => (await import('./publish.js')).init },
  publish: { load: async () => (await import('./publish.js')).publish },
  rollout: { load: async () => (await import('./publish.js')).rollout },
  accept: { load: async () => (await import('./submit.js')).accept },
  revoke: { load: async () => (await import('./publish.js')).revoke },
  list: { load: async () => (await import('./publish.js')).list },
  refresh: { load: async () => (await import('./publish.js')).refresh },
  channel: { load: async () => (await import('./publish.js')).channel },
  status: { load: async () => (await import('./watch.js')).status },
  watch: { load: async () => (await import('./watch.js')).watch },
  key: { load: async () => (await import('./keys.js')).key },
  delegate: { load: async () => (await import('./keys.js')).delegate },
};

export const run: CommandRun = async (argv, io) => {
  const [name, ...rest] = argv;
  if (name === '--help' || name === '-h') {
    io.stdout.write(`usage: ${usage}\n`);
    return 0;
  }
  const sub = name !== undefined && Object.hasOwn(subs, name) ? subs[name] : undefined;
  if (sub === undefined) throw unknownAction('fleet', name, Object.keys(subs), usage);
  const options = rest.includes('--') ? rest.slice(0, rest.indexOf('--')) : rest;
  if (options.includes('--help') || options.includes('-h')) {
    const own = usage.split('\n').filter((line) => usedBy(name ?? '', line));
    io.stdout.write(`usage: ${own.map((line) => line.trimStart()).join('\n       ')}\n`);
    return 0;
  }
  return (await sub.load())(rest, io);
};

/** The lines about one subcommand, and those about options of all. */
const usedBy = (name: string, line: string) =>
  !line.includes('kikitori fleet ') || new RegExp(`fleet (\\w+\\|)*${name}\\b`).test(line);
