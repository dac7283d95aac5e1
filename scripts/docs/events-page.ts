/** What docs/events.md takes from the list of the log's events. */
import { logEvents, type LogEventEntry } from '../../src/runtime/log-events.js';
import { table } from './regions.js';

export function logEventsRegion(): string {
  const entries: [string, LogEventEntry][] = Object.entries(logEvents);
  const stages = [...new Set(entries.map(([name]) => name.split('.')[0] ?? ''))].sort();
  return stages
    .map((stage) => {
      const rows = entries
        .filter(([name]) => name.startsWith(`${stage}.`))
        .map(([name, entry]) => [
          `\`${name}\``,
          entry.level,
          entry.meaning,
          'todo' in entry ? entry.todo : '',
        ]);
      return `## ${stage}\n${table(['event', 'level', 'meaning', 'what to do'], rows)}`;
    })
    .join('\n\n');
}
