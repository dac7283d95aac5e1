/** Who wants to hear which topics besides the requests of this device. */
export type OnMessage = (topic: string, payload: Buffer, retained: boolean) => void;

/** Whether a topic is one of a filter's; MQTT 3.1.1 section 4.7, for topics that do not begin with $. */
export function topicMatches(filter: string, topic: string): boolean {
  const wanted = filter.split('/');
  const given = topic.split('/');
  const rest = wanted.indexOf('#');
  if (rest < 0 ? wanted.length !== given.length : given.length < rest) return false;
  const fixed = rest < 0 ? wanted : wanted.slice(0, rest);
  return fixed.every((level, i) => level === '+' || level === given[i]);
}

export class Subscribers {
  private readonly wanted: { readonly filter: string; readonly onMessage: OnMessage }[] = [];

  /** False when the filter is subscribed already. */
  add(filter: string, onMessage: OnMessage): boolean {
    const known = this.filters.includes(filter);
    this.wanted.push({ filter, onMessage });
    return !known;
  }

  get filters(): readonly string[] {
    return [...new Set(this.wanted.map(({ filter }) => filter))];
  }

  message(topic: string, payload: Buffer, retained: boolean): void {
    for (const { filter, onMessage } of this.wanted)
      if (topicMatches(filter, topic)) onMessage(topic, payload, retained);
  }
}
