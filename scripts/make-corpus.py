#!/usr/bin/env python3
"""Writes the first inputs of the fuzz targets stb, command and data into fuzz/corpus, made of the
worked examples in tests/unit/oftp/examples.h. Inputs that a fuzzer found are left alone.

    scripts/make-corpus.py"""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent
CORPUS = ROOT / 'fuzz' / 'corpus'
STH = 4
LEVELS = {'12': 0, '13': 1, '14': 2, '20': 3}


def examples():
    text = (ROOT / 'tests' / 'unit' / 'oftp' / 'examples.h').read_text()
    found = {}
    for name, body in re.findall(r'example_(\w+)\[\] = \{(.*?)\};', text, re.S):
        body = re.sub(r'/\*.*?\*/', '', body)
        found[name] = bytes(int(x, 16) for x in re.findall(r'0x[0-9a-f]{2}', body))
    return found


def stb(oeb):
    return bytes([0x10]) + (len(oeb) + STH).to_bytes(3, 'big') + oeb


def write(target, name, octets):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ('seed-' + name)).write_bytes(octets)


def main():
    ex = examples()
    oeb = {name: octets[STH:] for name, octets in ex.items()}

    session = ['ssrm', 'ssid_initiator', 'ssid_responder', 'sfid_plain', 'sfpa', 'data_folded',
               'efid_u', 'efpa_n', 'cd', 'eerp', 'rtr', 'esid_normal']
    write('stb', 'session', b'\0' + b''.join(ex[n] for n in session))
    for name, octets in ex.items():
        write('stb', name, b'\x11' + octets)
    write('stb', 'most', b'\x07' + stb(b'D' + b'x' * 2047))
    write('stb', 'flags', b'\x01\x1f\x00\x00\x05R')
    write('stb', 'too-short', b'\x01' + ex['cd'] + b'\x10\x00\x00\x04')
    write('stb', 'too-long', b'\x01' + ex['cd'] + b'\x10\x01\x86\xa4')
    write('stb', 'version', b'\x01' + ex['cd'] + b'\x20\x00\x00\x05R')

    for name, octets in oeb.items():
        level = LEVELS.get(name[-2:], 3)
        write('command', name, bytes([level]) + octets)
    write('command', 'auch', b'\x03A\x00\x05abcde')
    write('command', 'sfna_1x', b'\x00313N')
    write('command', 'efna_1x', b'\x02511')
    write('command', 'sfpa_1x', b'\x002000000000')
    write('command', 'efid_1x', b'\x00T000000003000000000030')
    write('command', 'eerp_14', b'\x02' + oeb['eerp'][:106])
    write('command', 'eerp_12', b'\x00' + oeb['eerp'][:27] + b' ' * 9 + b'260131101530'
          + oeb['eerp'][48:106])
    write('command', 'nerp_14', b'\x02' + oeb['nerp'][:128])
    write('command', 'eerp_signed', b'\x03' + oeb['eerp'][:106] + b'\x00\x20' + b'h' * 32
          + b'\x00\x10' + b's' * 16)
    write('command', 'nerp_signed', b'\x03' + oeb['nerp'][:141] + b'\x00\x20' + b'h' * 32
          + b'\x00\x10' + b's' * 16)
    write('command', 'ssid_14', b'\x02' + oeb['ssid_initiator'][:1] + b'4'
          + oeb['ssid_initiator'][2:47] + b' ' + oeb['ssid_initiator'][48:])
    write('command', 'certificate', b'\x03H' + b'ODETTE_CERTIFICATE_REQUEST'
          + oeb['sfid_secured'][27:])

    records = b'REC-000001' + b'REC-2     ' + b'REC-3AAAAA'
    text = b''.join(b'line %02d of a text file\r\n' % i for i in range(40))
    for shape in (0x00, 0x02, 0x64, 0x66, 0xfc, 0xfe):
        write('data', 'file-folded-%02x' % shape,
              bytes([shape]) + b'ABC' + b' ' * 70 + b'DEF' + b'00000' + b'XY')
        write('data', 'file-records-%02x' % shape, bytes([shape]) + records.replace(b'R', b'R\0'))
        write('data', 'file-text-%02x' % shape, bytes([shape]) + text)
        write('data', 'file-zeros-%02x' % shape, bytes([shape]) + bytes(500))
    write('data', 'file-empty', b'\x02')
    for name in ('data_folded', 'data_fixed', 'data_empty'):
        write('data', name, b'\x01' + oeb[name][1:])
    write('data', 'full', b'\x11' + (b'\x3f' + b'f' * 63) * 4 + b'\x94' + b'l' * 20)
    write('data', 'headers', b'\x13\x00\x80\x02ab\x83cde\x43x\xc3y\x7f-\xff+\x00\x01z')
    write('data', 'cut', b'\x15\x3f' + b'x' * 62)
    write('data', 'nothing-repeated', b'\x17\x01a\x40b')


main()
