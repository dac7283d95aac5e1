/** Where things are in a repository, by name; publisher and device must agree on it. */

/** stable -> channels/stable.json; acme/stable -> acme/channels/stable.json */
export function channelTarget(channel: string): string {
  const [first = '', second] = channel.split('/');
  return second === undefined ? `channels/${first}.json` : `${first}/channels/${second}.json`;
}

/** The publisher's part of a channel's name: '' for the owner of the repository. */
export function publisherOf(channel: string): string {
  return channel.includes('/') ? (channel.split('/')[0] ?? '') : '';
}

export function bundleTarget(
  publisher: string,
  bundle: { name: string; version: string; sha256: string },
): string {
  // A bundle's name may hold spaces, a path may not.
  const name = bundle.name.replace(/[^\w.-]/g, '-');
  const file = `bundles/${name}-${bundle.version}-${bundle.sha256.slice(0, 12)}.tar`;
  return publisher === '' ? file : `${publisher}/${file}`;
}
