import { isIP } from 'node:net';

/** An IP address and a port. IPv6 without brackets. */
export interface HostPort {
  readonly host: string;
  /** 1 to 65535. */
  readonly port: number;
}

/** Checks both halves of an address; `undefined` unless they are an IP address and a decimal port from 1 to 65535. */
export function hostPort(host: string, port: string): HostPort | undefined {
  if (isIP(host) === 0 || !/^[0-9]{1,5}$/.test(port)) return undefined;
  const number = Number(port);
  return number >= 1 && number <= 0xffff ? { host, port: number } : undefined;
}
