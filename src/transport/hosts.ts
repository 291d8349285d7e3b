import { BlockList, isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { DynamoTracingError } from '../errors/index.js';
import { decided, decisionOption, invalidOption, type OptionReader } from '../internal/index.js';

/** Whether `text` is an IPv4 or IPv6 address, the latter without brackets. */
export function isIpAddress(text: string): boolean {
  return isIP(text) !== 0;
}

/** What peers on other machines can reach this one by: the first IPv4 address that is not loopback, else IPv6, else 127.0.0.1. */
export function localIp(): string {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []).filter((address) => !address.internal);
  const found = all.find(({ family }) => family === 'IPv4') ?? all.find(({ family, address }) => family === 'IPv6' && !address.startsWith('fe80'));
  return found?.address ?? '127.0.0.1';
}

/**
 * The address that a listener binds to and tells others: an IP address, or that of a network interface of this name.
 * @param variable Where `name` comes from, for the error. @throws ERR_ENV_INVALID, also for 0.0.0.0 and ::, which nobody can dial
 */
export function resolveHost(name: string, variable: string): string {
  const bare = name.startsWith('[') && name.endsWith(']') ? name.slice(1, -1) : name;
  const addresses = networkInterfaces()[bare];
  const host = isIpAddress(bare) ? bare : (addresses?.find(({ family }) => family === 'IPv4') ?? addresses?.[0])?.address;
  if (host === undefined || /^(0\.0\.0\.0|[0:]+)$/.test(host)) {
    throw new DynamoTracingError('ERR_ENV_INVALID', `${variable} must be an IP address that others can dial or the name of a network interface, got ${JSON.stringify(name.slice(0, 64))}`, { variable });
  }
  return host;
}

/** Which addresses may be called: IP addresses, networks as `10.0.0.0/8`, or a function that decides. */
export type HostFilter = readonly string[] | ((host: string) => boolean);

/** Reads a {@link HostFilter}: without one every address may be called. A function that throws refuses. */
export const hostFilterOption: OptionReader<(host: string) => boolean> = (value, path) => {
  if (value === undefined) return () => true;
  if (typeof value === 'function') {
    const decide = decisionOption<(host: string) => unknown>()(value, path);
    return (host) => decided(path, () => decide?.(host), false) === true;
  }
  if (!Array.isArray(value)) throw invalidOption(path, 'an array of addresses and networks, or a function', value);
  const list = new BlockList();
  for (const entry of value as readonly unknown[]) addHost(list, entry, path);
  return (host) => list.check(host, family(host));
};

function addHost(list: BlockList, entry: unknown, path: string): void {
  const [, address = '', bits] = (typeof entry === 'string' ? /^([^/]+)(?:\/(\d{1,3}))?$/.exec(entry) : null) ?? [];
  const prefix = bits === undefined ? undefined : Number(bits);
  if (!isIpAddress(address) || (prefix ?? 0) > (family(address) === 'ipv4' ? 32 : 128)) throw invalidOption(path, 'an array of IP addresses and networks such as 10.0.0.0/8', entry);
  if (prefix === undefined) list.addAddress(address, family(address));
  else list.addSubnet(address, prefix, family(address));
}

function family(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 6 ? 'ipv6' : 'ipv4';
}
