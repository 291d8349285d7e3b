import { networkInterfaces } from 'node:os';
import { DynamoTracingError } from '../errors/index.js';
import { isIpAddress } from './network.js';

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
