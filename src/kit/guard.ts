import { lookup } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';
import { VendorError } from './errors.ts';

// Everything that is not the public internet: private, loopback, link-local (cloud metadata), carrier NAT, test,
// multicast and reserved ranges, and the same inside IPv6 (RFC 6890).
const closed = new BlockList();
for (const [net, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const) {
  closed.addSubnet(net, bits, 'ipv4');
  closed.addSubnet(`::ffff:${net}`, 96 + bits, 'ipv6');
}
for (const [net, bits] of [
  // Loopback, and IPv4 addresses written the old way.
  ['::', 96],
  ['64:ff9b::', 96],
  ['64:ff9b:1::', 48],
  ['100::', 64],
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
  ['5f00::', 16],
  ['fc00::', 7],
  ['fe80::', 10],
  ['fec0::', 10],
  ['ff00::', 8],
] as const) {
  closed.addSubnet(net, bits, 'ipv6');
}

/** Whether an address belongs to a network that strangers' URLs must not reach. */
export const isPrivateAddress = (address: string): boolean =>
  closed.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');

/**
 * Resolves a host that a user named and refuses private ones. The caller must connect to the returned address, not
 * to the name: a second resolution could answer differently.
 * @param allowed host names that may be private (self-hosted neighbours)
 * @throws VendorError `invalid`
 */
export async function publicAddress(
  host: string,
  allowed: readonly string[],
): Promise<{ address: string; family: number }> {
  const name = host.replace(/^\[|\]$/g, '');
  const found = isIP(name)
    ? [{ address: name, family: isIP(name) }]
    : await lookup(name, { all: true }).catch(() => []);
  const first = found[0];
  // A name server that is away for a moment looks the same as a name that does not exist.
  if (!first) throw new VendorError('transient', `The host ${name} cannot be found. Check the address.`);
  if (!allowed.includes(name) && found.some(({ address }) => isPrivateAddress(address))) {
    throw new VendorError(
      'invalid',
      `The host ${name} is on a private network, where the hub does not go. If it is yours, add it to RAPPORT_ALLOW_PRIVATE.`,
    );
  }
  return first;
}
