import os, { type NetworkInterfaceInfo } from 'node:os';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { hostFilterOption, localIp, resolveHost } from '../../src/transport/hosts';

afterEach(() => {
  jest.restoreAllMocks();
});

const address = (family: 'IPv4' | 'IPv6', text: string, internal = false): NetworkInterfaceInfo => ({ address: text, family, internal, netmask: '', mac: '', cidr: null, ...(family === 'IPv6' ? { scopeid: 0 } : {}) }) as NetworkInterfaceInfo;
const interfaces = (given: NodeJS.Dict<NetworkInterfaceInfo[]>): void => void jest.spyOn(os, 'networkInterfaces').mockReturnValue(given);
const LO = [address('IPv4', '127.0.0.1', true), address('IPv6', '::1', true)];

describe('the address of this machine', () => {
  it.each<[string, NodeJS.Dict<NetworkInterfaceInfo[]>, string]>([
    ['the first IPv4 address that is not loopback', { lo: LO, eth0: [address('IPv6', 'fd00::1'), address('IPv4', '10.0.0.1')], eth1: [address('IPv4', '10.0.0.2')] }, '10.0.0.1'],
    ['an IPv6 address where there is no other, and none of a link alone', { lo: LO, eth0: [address('IPv6', 'fe80::1'), address('IPv6', 'fd00::1')] }, 'fd00::1'],
    ['loopback where there is nothing else', { lo: LO, gone: undefined, eth0: [address('IPv6', 'fe80::1')] }, '127.0.0.1'],
  ])('is %s', (_what, given, expected) => {
    interfaces(given);
    expect(localIp()).toBe(expected);
  });
});

describe('the host of a variable', () => {
  it.each([
    ['10.1.2.3', '10.1.2.3'],
    ['[fd00::7]', 'fd00::7'],
    ['fd00::7', 'fd00::7'],
    ['eth0', '10.0.0.1'],
    ['eth1', 'fd00::2'],
  ])('%s is %s: an address, or that of an interface, IPv4 first', (name, expected) => {
    interfaces({ eth0: [address('IPv6', 'fd00::1'), address('IPv4', '10.0.0.1')], eth1: [address('IPv6', 'fd00::2')] });
    expect(resolveHost(name, 'V')).toBe(expected);
  });

  it.each(['0.0.0.0', '::', '[::]', '0:0:0:0:0:0:0:0', 'eth2', 'any', '[eth0', 'eth0]', '', 'localhost'])('%j is refused: nobody can dial it', (name) => {
    interfaces({ eth0: [address('IPv4', '10.0.0.1')], any: [address('IPv4', '0.0.0.0')] });
    expect(() => resolveHost(name, 'V')).toThrow(expect.objectContaining({ code: 'ERR_ENV_INVALID', variable: 'V' }));
  });
});

describe('a list of hosts', () => {
  it.each([
    ['0.0.0.0/0', '203.0.113.9', 'fd00::1'],
    ['10.0.0.0/8', '10.255.0.1', '11.0.0.1'],
    ['10.1.2.3/32', '10.1.2.3', '10.1.2.4'],
    ['::/0', 'fd00::1', 'localhost'],
    ['fd00::/64', 'fd00::ffff', 'fd00:0:0:1::1'],
    ['fd00::1/128', 'fd00::1', 'fd00::2'],
    ['fd00::1', 'fd00::1', 'fd00::2'],
  ])('of %s has %s in it, and not %s', (entry, inside, outside) => {
    const allows = hostFilterOption([entry], 'callHomeHosts');
    expect([allows(inside), allows(outside)]).toEqual([true, false]);
  });

  it('has every host in it when it is not given', () => {
    expect(hostFilterOption(undefined, 'callHomeHosts')('203.0.113.9')).toBe(true);
  });

  it.each([['10.0.0.0'], [{}], [null]])('is none: %j', (given) => {
    expect(() => hostFilterOption(given, 'callHomeHosts')).toThrow(expect.objectContaining({ code: 'ERR_OPTION_INVALID', path: 'callHomeHosts' }));
  });
});
