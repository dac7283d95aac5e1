/** Where a port is opened: "host:port", "[::1]:port". */
const pattern = /^(?:\[([0-9a-f:.]+)\]|([\w.-]+)):(\d{1,5})$/i;

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** Throws for what is none; the configuration lets only good ones through. */
export function parseListen(text: string): ListenAddress {
  const [, bracketed, plain, digits] = pattern.exec(text) ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits);
  if (host === undefined || port > 65_535) throw new Error(`no host:port: ${text}`);
  return { host, port };
}

/** Only programs of this machine reach it. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}
