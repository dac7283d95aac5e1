declare module 'proxy-from-env' {
  /** '' when the address is to be asked directly. */
  export function getProxyForUrl(url: string): string;
}
