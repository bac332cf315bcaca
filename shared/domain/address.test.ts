import { isIP } from 'node:net'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isAddressRange, isInRange, isSameAddress, kindOfAddress, type AddressKind } from './address.ts'

describe('kindOfAddress', () => {
  test.each<[string, AddressKind]>([
    ['8.8.8.8', 'public'],
    ['9.255.255.255', 'public'],
    ['10.0.0.0', 'private'],
    ['10.255.255.255', 'private'],
    ['11.0.0.0', 'public'],
    ['100.63.255.255', 'public'],
    ['100.64.0.0', 'shared'],
    ['100.127.255.255', 'shared'],
    ['100.128.0.0', 'public'],
    ['127.0.0.1', 'loopback'],
    ['127.255.255.254', 'loopback'],
    ['169.254.0.1', 'link_local'],
    ['169.254.170.2', 'link_local'],
    ['169.254.169.254', 'metadata'],
    ['100.100.100.200', 'metadata'],
    ['168.63.129.16', 'metadata'],
    ['192.0.0.192', 'metadata'],
    ['172.15.255.255', 'public'],
    ['172.16.0.0', 'private'],
    ['172.31.255.255', 'private'],
    ['172.32.0.0', 'public'],
    ['192.168.1.1', 'private'],
    ['0.0.0.0', 'unspecified'],
    ['224.0.0.1', 'multicast'],
    ['239.255.255.255', 'multicast'],
    ['255.255.255.255', 'reserved'],
    ['198.19.0.1', 'reserved'],
    ['2606:4700::1111', 'public'],
    ['::', 'unspecified'],
    ['::1', 'loopback'],
    ['0:0:0:0:0:0:0:1', 'loopback'],
    ['fe80::1', 'link_local'],
    ['fe80::1%eth0', 'link_local'],
    ['febf::1', 'link_local'],
    ['fd00::1', 'private'],
    ['fc00::1', 'private'],
    ['fec0::1', 'private'],
    ['FD00:EC2::254', 'metadata'],
    ['fd20:ce::254', 'metadata'],
    ['fd00:c1::a9fe:a9fe', 'metadata'],
    ['fd00:42::42', 'metadata'],
    ['2001:2::1', 'reserved'],
    ['2001:1f::1', 'reserved'],
    ['2001:2f::1', 'reserved'],
    ['2001:30::1', 'public'],
    ['5f00::1', 'reserved'],
    ['ff02::1', 'multicast'],
    ['2001:db8::1', 'reserved'],
    ['2001:0:4136:e378::1', 'reserved'],
  ])('%s is %s', (address, kind) => {
    expect(kindOfAddress(address)).toBe(kind)
  })

  // Guarantee: an IPv4 address is not hidden by writing it as an IPv6 address that leads to it.
  test.each<[string, AddressKind]>([
    ['::ffff:127.0.0.1', 'loopback'],
    ['::ffff:7f00:1', 'loopback'],
    ['::ffff:a9fe:a9fe', 'metadata'],
    ['::ffff:0:169.254.169.254', 'metadata'],
    ['::169.254.169.254', 'metadata'],
    ['64:ff9b::169.254.169.254', 'metadata'],
    ['64:ff9b::a00:1', 'private'],
    ['64:ff9b:1::10.0.0.1', 'private'],
    ['2002:a9fe:a9fe::', 'metadata'],
    ['2002:7f00:1::1', 'loopback'],
    ['64:ff9b::8.8.8.8', 'public'],
    // The prefix of local use: the address stands right behind a prefix of 48, 56, 64 or 96 bits, around byte 8 (RFC 6052, 2.2).
    ['64:ff9b:1:a9fe:a9:fe00::', 'metadata'],
    ['64:ff9b:1:a9fe:a9:fe00:808:808', 'metadata'],
    ['64:ff9b:1:a9:fe:a9fe::', 'metadata'],
    ['64:ff9b:1:0:a9:fea9:fe00:0', 'metadata'],
    ['64:ff9b:1::169.254.169.254', 'metadata'],
    ['64:ff9b:1:7f00:0:100::', 'loopback'],
    ['64:ff9b:1:c0a8:1:100::', 'private'],
    ['64:ff9b:1::8.8.8.8', 'public'],
    ['64:ff9b:1:808:8:800::', 'public'],
    ['64:ff9b:1::', 'unspecified'],
    ['2001:0:a9fe:a9fe::1', 'metadata'], // Teredo's server
    ['2001:0:4136:e378:8000:63bf:5601:5601', 'metadata'], // its client
    ['fe80::5efe:169.254.169.254', 'metadata'], // ISATAP
    ['2606:4700::200:5efe:7f00:1', 'loopback'],
    ['2606:4700::200:5efe:808:808', 'public'],
  ])('%s is %s, as the address in it', (address, kind) => {
    expect(kindOfAddress(address)).toBe(kind)
  })

  test.each([
    '',
    'localhost',
    'example.org',
    '1.2.3',
    '1.2.3.256',
    '0x7f.0.0.1',
    '010.0.0.1',
    '1.2.3.4.5',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '::12345',
    '1.2.3.4::',
    '[::1]',
  ])('%j is no address', (text) => {
    expect(kindOfAddress(text)).toBeUndefined()
  })

  test('reads every address that Node writes, and no other text', () => {
    const text = fc.oneof(fc.ipV4(), fc.ipV6(), fc.stringMatching(/^[0-9a-f:.]{1,20}$/))
    fc.assert(fc.property(text, (address) => void expect(kindOfAddress(address) !== undefined).toBe(isIP(address) !== 0)))
  })
})

describe('isSameAddress', () => {
  test.each([
    ['10.0.0.1', '10.0.0.1', true],
    ['10.0.0.1', '::ffff:a00:1', true],
    ['fd00::1', 'FD00:0::0001', true],
    ['10.0.0.1', '10.0.0.2', false],
    ['::1', '127.0.0.1', false],
    ['10.0.0.1', '64:ff9b::a00:1', true],
    ['10.0.0.1', '64:ff9b:1:a00:0:100::', true],
    ['2002:a00:1::', '::10.0.0.1', true],
    ['64:ff9b:1::10.0.0.1', '64:ff9b:1::10.0.0.2', false],
    ['fe80::1%eth0', 'fe80::1', true],
    ['name', 'name', false],
  ])('%s and %s: %s', (one, other, isSame) => {
    expect(isSameAddress(one, other)).toBe(isSame)
  })
})

describe('isAddressRange', () => {
  test.each([
    ['10.0.0.0/8', true],
    ['10.1.2.3/32', true],
    ['0.0.0.0/0', true],
    ['fd00::/8', true],
    ['::/128', true],
    ['10.0.0.0', false],
    ['10.0.0.0/33', false],
    ['10.0.0.0/', false],
    ['10.0.0/8', false],
    ['10.0.0.0/8/8', false],
    ['fd00::/129', false],
    ['10.0.0.0/-1', false],
    ['model.example/8', false],
    ['', false],
  ])('%j: %s', (text, isOne) => {
    expect(isAddressRange(text)).toBe(isOne)
  })
})

describe('isInRange', () => {
  test.each([
    ['10.1.2.3', '10.1.0.0/16', true],
    ['10.2.0.1', '10.1.0.0/16', false],
    ['10.1.2.3', '10.1.255.255/16', true], // what the mask leaves out does not count
    ['10.1.2.3', '10.1.2.3/32', true],
    ['10.1.2.4', '10.1.2.3/32', false],
    ['10.1.2.129', '10.1.2.128/25', true],
    ['10.1.2.127', '10.1.2.128/25', false],
    ['::ffff:10.1.2.3', '10.1.0.0/16', true],
    ['fd00:1::5', 'fd00:1::/32', true],
    ['fd00:2::5', 'fd00:1::/32', false],
    ['fd00:1::5', '0.0.0.0/0', false],
    ['10.1.2.3', '::/0', false],
    ['name', '0.0.0.0/0', false],
    ['10.1.2.3', 'none', false],
  ])('%s in %s: %s', (address, range, isIn) => {
    expect(isInRange(address, range)).toBe(isIn)
  })
})
