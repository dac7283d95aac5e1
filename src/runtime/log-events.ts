/**
 * Every `event` of the log: what it means and what to do. The compiler refuses an event that is not here, a test one
 * that nobody writes, and docs/events.md is made of it.
 */

/** `info`: nobody need look. `warn`: somebody, some day. `error`: somebody, today. `fatal`: the process ends. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'fatal';

interface Quiet {
  readonly level: 'debug' | 'info';
  readonly meaning: string;
}

interface Loud {
  readonly level: 'warn' | 'error' | 'fatal';
  readonly meaning: string;
  readonly todo: string;
}

export type LogEventEntry = Quiet | Loud;

const debug = (meaning: string) => ({ level: 'debug', meaning }) as const;
const info = (meaning: string) => ({ level: 'info', meaning }) as const;
const warn = (meaning: string, todo: string) => ({ level: 'warn', meaning, todo }) as const;
const error = (meaning: string, todo: string) => ({ level: 'error', meaning, todo }) as const;
const fatal = (meaning: string, todo: string) => ({ level: 'fatal', meaning, todo }) as const;

const accessList = 'Look at the access list of the broker.';
const goesOn = 'Nothing; it mends itself.';
const disk = 'Make room on the disk of `state.dir`, or give back the right to write.';

export const logEvents = {
  'agent.ready': info('It hears.'),
  'agent.stopped': info('It has ended as asked.'),
  'agent.restarted': warn(
    'The run before did not end as asked; `after` says whether it was a `crash` (also the watchdog, a limit of memory, SIGKILL) or a `power-loss`.',
    'After a crash look at the last lines of the run before, and report it when it comes again.',
  ),
  'agent.restarting': warn('It ends after a `restart` request.', 'Nothing; systemd starts it.'),
  'agent.stop-timeout': fatal(
    'The end took too long and was forced.',
    'Look at the lines before it; messages that were not sent are on the disk.',
  ),

  'audio.dropped': error(
    'Audio was left out: the processor is too slow for the model.',
    'Look at `health.rtf` and at what else runs on the board; take a smaller model.',
  ),
  'audio.unreadable': error(
    'The sound file or standard input in place of a microphone cannot be read; the process ends with status 1.',
    'Look at `capture.source` and `capture.path`.',
  ),

  'config.reloaded': info(
    'The files were read again. `needRestart` lists the sections that wait for a restart.',
  ),
  'config.refused': error(
    'The files were read again and are wrong; the old configuration goes on.',
    '`kikitori config check FILE` says every fault.',
  ),

  'dictation.loaded': info(
    'Words of a language model are heard, so many; `unpronounced` of it have no known sound.',
  ),
  'dictation.no-model': warn(
    'Free words are to be heard and there is no language model yet: nothing is heard.',
    'Nothing, if `update.language.channel` offers one; else name a file in `recognizer.languageModelPath`.',
  ),
  'dictation.other-model': warn(
    'The model bundle names another language model than the one that hears, or a newer one; it is heard with all the same.',
    'Publish the one that it names to `update.language.channel`.',
  ),
  'dictation.unsaid': warn(
    'Own terms (`recognizer.boostPath`) that nothing says how to pronounce are never heard.',
    'Name them in `grammar.wordsPath`.',
  ),

  'grammar.loaded': info('New sentences are heard.'),
  'grammar.warning': warn(
    'Something in the sentences looks unintended.',
    '`kikitori grammar check FILE`; `line` and `column` say where.',
  ),

  'heard.accepted': info(
    'A command that is safe on the disk, with its `id` on MQTT, intent, confidence and latency.',
  ),
  'heard.rejected': info('No command, with the reason.'),
  'heard.wake': info('The wake phrase, with its score.'),

  'log.dropped': warn(
    'So many `lines` of the log could not be written before this one.',
    'Look at the disk and at the program that reads the log.',
  ),

  'mic.up': info('Audio comes.'),
  'mic.silent': warn('Only digital silence comes.', 'Is it muted, in `alsamixer` or by a switch?'),
  'mic.lost': warn(
    'No audio comes; `why` has the last words of the recorder. It is opened again.',
    'Is it plugged in? `arecord -L` lists names, `kikitori doctor` tries it.',
  ),
  'mic.overrun': error(
    'The recorder came too late to the sound card; `lostMs` of audio are missing since the start.',
    'Look at `health.rtf` and at what else runs on the board, above all with real-time priority.',
  ),
  'mic.none': info('It is to have no microphone: `capture.source` is `none`.'),
  'mic.muted': info('After a `mute` request it hears nothing.'),
  'mic.unmuted': info('It hears again.'),

  'model.changed': info('Another model bundle hears.'),
  'model.released': info('The memory of the one before was given back; `rssMb` is what is left.'),
  'model.close-failed': warn(
    'The memory of the one before was not given back.',
    'Watch `health.rssMb`; a restart gives it back.',
  ),

  'mqtt.up': info('It is connected. `queued` messages wait; `mqtt` says which version is spoken.'),
  'mqtt.down': warn('It is not connected, for this reason; it goes on trying.', 'See `why`.'),
  'mqtt.kicked-out': error(
    'Another client uses this client id.',
    'Give each board a `device.id` of its own.',
  ),
  'mqtt.left-out': error(
    'A retained message is not sent: the broker does not take it.',
    'Raise the largest packet of the broker (mosquitto: `max_packet_size`).',
  ),
  'mqtt.no-answer': error(
    'The broker closes every connection in place of an answer.',
    'Look at the port, TLS and listener of `publish.mqtt.url`.',
  ),
  'mqtt.no-qos-1': error(
    'The broker acknowledges nothing: messages wait.',
    'Another broker, or `publish.qos: 0`.',
  ),
  'mqtt.no-retain': error(
    'The broker keeps no retained messages.',
    'Another broker, or `publish.retain: false`.',
  ),
  'mqtt.publish-refused': warn(
    'The broker refuses a message; it is tried again until its age limit.',
    `${accessList} Its quota may be used up.`,
  ),
  'mqtt.shortened': error(
    'A retained message is sent shorter: the broker does not take it all.',
    'Raise the largest packet of the broker (mosquitto: `max_packet_size`).',
  ),
  'mqtt.subscribe-refused': error(
    'The broker does not let this board hear requests.',
    `${accessList} The board must be allowed to read \`request/+\`.`,
  ),

  'neighbour.failed': error(
    'A neighbour, such as Home Assistant, failed; hearing goes on. `neighbour` says which.',
    'See `why`.',
  ),

  'outbox.found': info('Messages of an earlier run wait for the broker.'),
  'outbox.dropped': error(
    '`count` messages were dropped; `why` is `full`, `old`, `disk`, `too-big` or `damaged`.',
    'Mend the broker or the disk; raise `publish.outbox.maxBytes` or `maxAgeMs`.',
  ),
  'outbox.write-failed': error(
    'The disk takes nothing; messages wait in memory and are sent from there.',
    disk,
  ),
  'outbox.disk-back': info('The disk takes messages again.'),
  'outbox.message-set-aside': error(
    'The broker does not take a message; it is kept in the file `path`, and the others go on.',
    'Mend the limit of the broker; send the lines of the file by hand, or delete it.',
  ),
  'outbox.set-aside-failed': error(
    'Such a message could not be written there; it stays in the outbox, and the others go on.',
    disk,
  ),
  'outbox.set-aside': error(
    'The outbox was damaged. The file was set aside, its good messages go on; the newest three such files are kept.',
    'Delete the file `path` when you have looked; check the disk.',
  ),

  'request.answered': info(
    'A request over MQTT was answered, with its `status`. After 100 lines one a second; `leftOut` counts the others.',
  ),
  'request.unanswered': warn(
    'A request was not answered: 64 answers were on their way to the broker.',
    'Find who publishes so many requests.',
  ),
  'request.misnamed': warn(
    'A request was ignored whose name no request has: too long, or with odd characters.',
    'Find who publishes it.',
  ),
  'request.retained': warn(
    'A retained request was ignored.',
    'Publish requests without `retain`, and clear the retained one.',
  ),

  'home-assistant.taken-away': info(
    'The device was taken away from Home Assistant: it is switched off there, or has another name.',
  ),
  'home-assistant.not-kept': warn(
    'What Home Assistant was told could not be kept: switched off, the device may stay there.',
    disk,
  ),
  'home-assistant.unreadable': warn(
    'What Home Assistant was told before cannot be read; triggers of intents that are gone may stay there.',
    'Nothing; restart Home Assistant if one stays.',
  ),

  'hawkbit.assigned': info('hawkBit assigned a bundle to this board.'),
  'hawkbit.cancelled': info('hawkBit cancelled an action; `late`: the bundle was already in use.'),
  'hawkbit.gone': info('hawkBit wants to hear no more of the action that was under way.'),
  'hawkbit.failed': warn(
    'hawkBit could not be asked; it is tried again, less and less often.',
    'See `why`: address, token, network.',
  ),
  'hawkbit.back': info('hawkBit answers again, after so many failures.'),
  'hawkbit.no-repository': warn(
    'hawkBit is set but no update repository: nothing could be trusted, nothing is fetched.',
    'Set `update.url` and `update.rootPath`.',
  ),

  'update.checked': debug('The repository was asked, with the decision.'),
  'update.check-failed': warn(
    'The repository could not be asked; it is asked again.',
    'See `why`; the codes are in [updates.md](updates.md).',
  ),
  'update.idle': info('The update that was under way was given up, with the `reason`.'),
  'update.downloading': info('A bundle is being downloaded.'),
  'update.verified': info('The bundle is here and signed; its self-test or its window is next.'),
  'update.trial': info('The new bundle hears, on trial.'),
  'update.committed': info('The new bundle has passed its trial.'),
  'update.rolled-back': warn(
    'The bundle before hears again, with the `reason`.',
    'Look the reason up in [updates.md](updates.md).',
  ),
  'update.rejected': warn(
    'A bundle was not taken, with the `reason`; it is not tried again by itself.',
    'Look the reason up in [updates.md](updates.md).',
  ),
  'update.failed': warn(
    'An update did not get through, with the `reason`; it is tried again by itself.',
    'Look the reason up in [updates.md](updates.md).',
  ),
  'update.in-doubt': info(
    'The board was too busy to say whether a new model is too slow; it is measured again after `waitMs`.',
  ),
  'update.unconfined': warn(
    'A bundle was tried with all that the service may do, for this system confines no process.',
    'Install `perl-base`; the kernel must offer seccomp (docs/security.md).',
  ),
  'update.unreadable': warn(
    'A bundle on this board could not be opened; the next best one hears.',
    'Install the bundle again; check the disk.',
  ),
  'update.return-failed': warn(
    'A bundle to go back to could not be opened.',
    'Install a bundle again; check the disk.',
  ),
  'update.set-aside': warn('A slot could not be read; it was set aside.', 'Check the disk.'),
  'update.journal-set-aside': warn(
    'The journal of updates could not be read; a new one is begun.',
    'Check the disk.',
  ),
  'update.journal-failed': error('The journal of updates could not be written.', disk),
  'update.point-failed': warn('The pointer to the bundle that hears could not be written.', goesOn),
  'update.evidence-failed': warn('The reasons of a return could not be kept.', disk),
  'update.internal': error(
    'A step of an update failed in a way nobody thought of.',
    'Please report it, with the lines around it.',
  ),

  'wyoming.listening': info('The Wyoming service is there, at `host` and `port`.'),
  'wyoming.no-port': error(
    'The Wyoming service is not there; it is tried again.',
    'Is another program at this port? See `why` and `wyoming.listen`.',
  ),
  'wyoming.announced': info('Home Assistant finds the service by itself (mDNS).'),
  'wyoming.not-announced': warn(
    'The service could not be announced by mDNS.',
    'Tell Home Assistant host and port by hand; see `why`.',
  ),
  'wyoming.accepted': info('A command of a Wyoming client, with intent and confidence.'),
  'wyoming.rejected': info('No command of a Wyoming client, with the reason.'),
  'wyoming.cut': warn(
    'A Wyoming client was cut off, with the reason; `count` says how many so far.',
    'Nothing once; if it comes again, look at that client.',
  ),

  'http.listening': info('The port of `name` (metrics, page) is open, at `host` and `port`.'),
  'http.no-port': error(
    'The port of `name` (metrics, page) could not be opened; it is tried again.',
    'Is another program at this port? See `why`, and the `listen` of that section.',
  ),
  'metrics.not-written': error(
    'The file of metrics could not be written; it is tried again.',
    'Let the user of the service write its folder: `ReadWritePaths=` of the unit.',
  ),
  'page.failed': error(
    'The page of the device could not answer a request; hearing goes on.',
    'Report it with `why`.',
  ),

  'feedback.failed': warn(
    'Whoever speaks is not told by `what` (sound, led, program); hearing goes on.',
    'See `why`, and docs/feedback.md.',
  ),

  'sparkplug.connected': info('The edge node of Sparkplug B is born, as `group` and `node`.'),
  'sparkplug.disconnected': warn('The edge node has no broker; it tries again.', goesOn),
  'sparkplug.no-commands': error(
    'The broker does not let the edge node hear its commands (NCMD): hosts cannot ask for a birth.',
    accessList,
  ),
  'sparkplug.bad-command': warn(
    'A command to the edge node was no Sparkplug payload. Said once.',
    'Look at who writes to its NCMD topic.',
  ),
  'sparkplug.too-large': error(
    'The broker does not take a message of the edge node: it is larger than the broker allows.',
    'Let the broker take larger messages, or use fewer slots.',
  ),
  'sparkplug.rebirth-storm': warn(
    'Hosts ask the edge node for one birth after the other; they are answered later and later.',
    'Does another device have the same `group` and `node`?',
  ),
  'sparkplug.not-saved': warn(
    'The number of the session could not be kept for the next start.',
    disk,
  ),

  'watchdog.withheld': error(
    'No audio went through the network; systemd will restart the service.',
    'Nothing once; if it comes again, report it with the lines before.',
  ),
} as const satisfies Readonly<Record<`${string}.${string}`, LogEventEntry>>;

export type LogEvent = keyof typeof logEvents;
