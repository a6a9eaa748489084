"""What comes packed: layers, multiparts, encodings, attachments, names. as2.md 2, 5.5, 8, 11.2."""

import itertools
import re

import pytest

import as2
import as2_scene
from as2_scene import Relation

PLANT = {'settings': {'as2_server': as2_scene.SERVER}}
ALL = bytes(range(256)) * 3 + b'\r\n\r\n--=_x\r\n\r\0\x1a\n'


@pytest.fixture(scope='module')
def relation(shared_gateway):
    return Relation(shared_gateway)


@pytest.fixture
def opened(plant, relation):
    """Posts a message; (MDN, octets of the document, the document)."""
    def exchange(m):
        mdn = relation.exchange(m)
        d = relation.documents()[0]
        path = f'/api/v1/documents/{d["id"]}/opened'
        status, octets = plant.request('GET', path) if d['size'] else (200, b'')
        assert status == 200, (path, status, octets)
        return mdn, octets, d
    return exchange


KINDS = list(itertools.product(as2.NESTINGS, ['binary', 'base64'], ['signed', 'unsigned']))


@pytest.mark.parametrize('nesting, encoding, mdn', KINDS)
def test_every_nesting_is_opened(opened, relation, nesting, encoding, mdn):
    """AS2-C31 AS2-C39 AS2-C40 AS2-C41 AS2-C51 AS2-C52: the peer compares the MIC"""
    how = {} if encoding == 'binary' else {k: {'encoding': 'base64'} for k in (
        ['compressing'] if 'C' in nesting else []) + (['encrypting'] if 'E' in nesting else [])}
    m = relation.message(ALL, nesting, mdn=mdn, encoding=encoding if encoding == 'base64' else None,
                         **how)
    if nesting == '' and encoding == 'base64':
        m.mic_source = ALL
    got, octets, d = opened(m)
    assert octets == ALL and d['size'] == len(ALL) and d['name'] == 'orders.edi'
    assert got.is_signed == (mdn == 'signed')


FORMS = {'der': {}, 'ber': {'extra': ['-stream']}, 'bare': {'attributes': False},
         'keyid': {'keyid': True, 'certificates': False}, 'pss': {'pss': True, 'md': 'sha512'}}


@pytest.mark.parametrize('nesting', [n for n in as2.NESTINGS if 'S' in n])
@pytest.mark.parametrize('encoding', ['binary', 'base64'])
@pytest.mark.parametrize('form', FORMS)
def test_opaque_signatures_are_opened(opened, relation, nesting, encoding, form):
    """AS2-C31 AS2-C39 AS2-C51: SignedData with the content inside; the peer compares the MIC"""
    m = relation.message(ALL, nesting, signing={'opaque': True, 'encoding': encoding, **FORMS[form]})
    got, octets, d = opened(m)
    assert octets == ALL and d['name'] == 'orders.edi' and got.is_signed


@pytest.mark.parametrize('nesting', ['S', 'ES', 'CS'])
def test_opaque_signatures_that_are_wrong_are_refused(plant, nesting):
    """AS2-C109 AS2-C110: other content, another signer, and no content"""
    r = Relation(plant)
    how = {'opaque': True, 'encoding': 'binary'}
    r.refused(r.message(b'pay 100', nesting, signing=how,
                        edit={'S': with_body(lambda b: b.replace(b'pay 100', b'pay 900'))}),
              'integrity-check-failed')
    r.refused(r.message(b'pay 100', nesting, signing={**how, 'detached': True}),
              'integrity-check-failed')
    keep, r.peer.keys = r.peer.keys, as2_scene.keys('stranger')
    m = r.message(b'pay 100', nesting, signing=how)
    r.peer.keys = keep
    r.refused(m, 'authentication-failed')
    r.exchange(r.message(b'pay 100', nesting, signing=how))
    assert r.content() == b'pay 100'


def test_opaque_signatures_satisfy_what_requires_a_signature(plant):
    r = Relation(plant, operation={'require': {'signed': True, 'encrypted': False}})
    r.refused(r.message(b'x', 'E'), 'insufficient-message-security')
    r.exchange(r.message(b'x', 'S', signing={'opaque': True}))
    assert r.content() == b'x'
    assert [d['properties'].get('as2.signed') for d in [r.documents()[0]]
            if 'properties' in d] in ([], ['yes'])


@pytest.mark.parametrize('nesting', as2.NESTINGS)
def test_empty_one_octet_and_boundary_like_payloads(opened, relation, nesting):
    """AS2-C38 AS2-C42 AS2-C43"""
    for content in (b'', b'x', b'x--b\r\n --b\r\n--bc\r\n--b -\r\n', b'\r\n--=_other--\r\n',
                    b'a\nb\n'):
        m = relation.message(content, nesting, name=None)
        if 'S' in nesting:
            m = relation.message(content, nesting, signing={'boundary': 'b'})
        assert opened(m)[1] == content


@pytest.mark.parametrize('nesting, fault', [
    ('EE', 'unexpected-processing-error'), ('CC', 'decompression-failed'),
    ('SS', 'unexpected-processing-error'), ('SE', 'unexpected-processing-error'),
    ('CE', 'unexpected-processing-error'), ('CSC', 'decompression-failed'),
    ('SCSC', 'unexpected-processing-error'), ('ESCC', 'decompression-failed')])
def test_other_nestings_are_refused(plant, nesting, fault):
    """AS2-C32"""
    r = Relation(plant)
    r.peer.partner_cert = as2_scene.keys('us').cert
    mdn = r.message(b'x', nesting)
    response = mdn.post(r.url)
    got = as2.Mdn(response.fields, response.body).verify(as2_scene.keys('us').cert)
    assert got.disposition == f'processed/error: {fault}' and r.files() == []


def signed(relation, edit):
    """A signed message whose outer entity was changed by edit(entity)."""
    return relation.message(b'part', 'S', edit={'S': edit})


def with_body(change):
    def edit(entity):
        entity.body = change(entity.body)
        return entity
    return edit


@pytest.mark.parametrize('preamble', [b'\r\n', b'some text\r\n',
                                      b'Header: like\r\nTwo: lines\r\n\r\n'])
def test_preambles_before_the_first_delimiter(opened, relation, preamble):
    """AS2-C34"""
    assert opened(signed(relation, with_body(lambda b: preamble + b)))[1] == b'part'


def test_a_boundary_that_begins_an_inner_one(opened, relation):
    """AS2-C35"""
    parts = [as2.payload(b'<a/>', 'application/xml', 'a.xml'), as2.payload(b'pdf', name='b.pdf')]
    m = relation.message(as2.related(parts, boundary='AB-inner'), 'S', signing={'boundary': 'AB'})
    assert opened(m)[1] == b'<a/>pdf'


def test_a_part_without_header(opened, relation):
    """AS2-C36"""
    entity = as2.sign(b'\r\nraw without header', relation.peer.keys)
    m = relation.message(b'', '', change={'Content-Type': entity.get('Content-Type'),
                                          'Content-Disposition': None})
    m.body, m.mic_source = entity.body, b'\r\nraw without header'
    assert opened(m)[1] == b'raw without header'


@pytest.mark.parametrize('change', [
    lambda b: b + b'\r\n--', lambda b: b[:-2], lambda b: b[:-4]])
def test_odd_ends_of_the_multipart(plant, relation, change):
    """AS2-C33: an epilogue is passed over, a missing last delimiter is not"""
    response = signed(relation, with_body(change)).post(relation.url)
    assert as2.Mdn(response.fields, response.body).disposition in (
        'processed', 'processed/error: unexpected-processing-error',
        'processed/error: integrity-check-failed')


@pytest.mark.parametrize('fault', ['one', 'three'])
def test_a_multipart_signed_has_two_parts(plant, relation, fault):
    """AS2-C33"""
    def edit(entity):
        b = b'--' + as2.value(entity.get('Content-Type'))[1]['boundary'].encode()
        parts = entity.body.split(b + b'\r\n')
        entity.body = (b + b'\r\n').join(parts[:2]) + b + b'--\r\n' if fault == 'one' else \
            entity.body.replace(b + b'--', b + b'\r\n\r\nthird\r\n' + b + b'--')
        return entity
    response = signed(relation, edit).post(relation.url)
    got = as2.Mdn(response.fields, response.body).disposition
    assert got.startswith('processed/error: ')


@pytest.mark.parametrize('kind', ['application/pkcs7-mime', 'Application/PKCS7-MIME; NAME=x;',
                                  'application/x-pkcs7-mime; smime-type="compressed-data"',
                                  'application/pkcs7-mime; smime-type=enveloped-data'])
def test_smime_type_missing_or_wrong(opened, relation, kind):
    """AS2-C44 AS2-C45: the object identifier counts"""
    for nesting in 'E', 'C', 'ES', 'EC', 'CS':
        m = relation.message(b'by OID', nesting,
                             edit={nesting[0]: lambda e: e.put('Content-Type', kind)})
        assert opened(m)[1] == b'by OID'


@pytest.mark.parametrize('micalg', ['sha1', 'SHA-256', 'sha256', '"sha-512"', None, 'unknown',
                                    '"sha-256, sha1"'])
def test_micalg_missing_or_contradictory(opened, relation, micalg):
    """AS2-C46 AS2-C47"""
    for md in 'sha256', 'sha384':
        def edit(e):
            text = re.sub('; micalg=[^;]+', f'; micalg={micalg}' if micalg else '',
                          e.get('Content-Type'))
            return e.put('Content-Type', text)
        m = relation.message(b'micalg', 'S', signing={'md': md}, edit={'S': edit},
                             micalg='sha-384')
        assert opened(m)[1] == b'micalg'


@pytest.mark.parametrize('layer', ['E', 'C', 'S'])
@pytest.mark.parametrize('tail, good', [(b'\r\n' * 32, True), (b'\0' * 64, True),
                                        (b'\n' * 65, False), (b'x', False)])
def test_what_stands_behind_a_cms_object(plant, layer, tail, good):
    """AS2-C48"""
    r = Relation(plant)
    if layer == 'S':
        keep = as2.cms_sign
        try:
            as2.cms_sign = lambda *a, **k: keep(*a, **k) + tail
            m = r.message(b'tail', 'S')
        finally:
            as2.cms_sign = keep
    else:
        m = r.message(b'tail', layer, edit={layer: with_body(lambda b: b + tail)})
    fault = {'E': 'decryption-failed', 'C': 'decompression-failed', 'S': 'integrity-check-failed'}
    if good:
        r.exchange(m)
    else:
        r.refused(m, fault[layer])


@pytest.mark.parametrize('nesting', ['', 'S', 'ESC', 'ECS'])
@pytest.mark.parametrize('root', [0, 1])
def test_several_attachments_are_one_document(plant, nesting, root):
    """AS2-C121: the root wherever it stands"""
    r = Relation(plant)
    parts = [as2.payload(b'<order/>', 'application/xml', 'order.xml',
                         more=[('Content-ID', '<root@x>')]),
             as2.payload(b'drawing' * 9, 'image/tiff', 'd.tif', more=[('Content-ID', '<2@x>')]),
             as2.payload(b'', 'application/pdf', 'd.tif', encoding='base64')]
    if root:
        parts[0], parts[1] = parts[1], parts[0]
    entity = as2.related(parts, root=root)
    if root:
        entity.put('Content-Type', entity.get('Content-Type') + '; start="<root@x>"')
    r.exchange(r.message(entity, nesting))
    found = {p.name: p.read_bytes() for p in r.delivered(3)}
    assert found == {'order.xml': b'<order/>', 'd.tif': b'drawing' * 9, '3-d.tif': b''}
    d = r.document()
    assert d['name'] == 'order.xml' and d['properties']['as2.parts'] == '3'


NAMES = [('../../etc/passwd', 'passwd'), ('C:\\\\in\\\\a.edi', 'a.edi'), ('..', None),
         ('///', None),
         ('.htaccess', 'htaccess'), ('nul.txt', '_nul.txt'), ('a*b?.edi', 'a_b_.edi'),
         ('=?utf-8?B?Li4vLi4veA==?=', 'x'), ('-rf', 'rf'), ('x' * 300 + '.edi', None)]


@pytest.mark.parametrize('given, wanted', NAMES)
def test_file_names_are_made_safe(plant, given, wanted):
    """AS2-C122"""
    r = Relation(plant)
    r.exchange(r.message(b'named', 'ES', name=given))
    path, = r.delivered()
    assert path.parent == r.inbox
    if wanted is not None:
        assert path.name == wanted
    elif 'x' in given:
        assert path.name.endswith('.edi') and len(path.name) == 200
    else:
        assert path.name.startswith('payload-')


def test_where_a_file_name_comes_from(plant):
    """AS2-C122: filename*, the payload part before the HTTP header, the name of Content-Type"""
    r = Relation(plant)
    star = as2.Entity([('Content-Type', 'application/EDIFACT'),
                       ('Content-Disposition', "attachment; filename*=utf-8''..%2F..%2Fx.edi")],
                      b'1')
    r.exchange(r.message(star, 'S'))
    typed = as2.Entity([('Content-Type', 'application/EDIFACT; name=typed.edi')], b'2')
    r.exchange(r.message(typed, 'S'))
    r.exchange(r.message(b'3', '', name='plain.edi'))
    names = {p.name: p.read_bytes() for p in r.delivered(3)}
    assert names == {'x.edi': b'1', 'typed.edi': b'2', 'plain.edi': b'3'}


def test_file_names_may_be_ignored_or_rejected(plant):
    r = Relation(plant, operation={'file_names': 'ignore'})
    r.exchange(r.message(b'1', 'S', name='x.edi'))
    assert r.delivered()[0].name.startswith('payload-') and r.property('as2.file_name') == ''
    r = Relation(plant, operation={'file_names': 'reject'})
    r.refused(r.message(b'1', 'S', name='../x.edi'), 'illegal-filename')
    r.exchange(r.message(b'1', 'S', name='x.edi'))
    r.exchange(r.message(b'2', 'S', name=None))
    r.exchange(r.message(b'3', 'S', name=None))
    mdn = r.exchange(r.message(b'4', 'S', name='x.edi'), 'processed/error: duplicate-filename')
    assert mdn.mic and len(r.delivered(3)) == 3
    assert r.log('duplicate-filename.*look_at="?file_names')
    again = r.message(b'5', 'ES', name='y.edi')
    first = r.exchange(again)
    assert again.post(r.url).body == first.body     # the same message is no second file


def test_names_are_kept_and_a_clash_is_stored_under_another_name(plant):
    r = Relation(plant)
    for text in b'1', b'2':
        r.exchange(r.message(text, 'S', name='same.edi'))
    assert sorted(p.read_bytes() for p in r.delivered(2)) == [b'1', b'2']


def test_a_certificate_exchange_message_is_not_delivered(plant):
    """AS2-C124"""
    r = Relation(plant)
    kind = 'application/ediint-cert-exchange+xml'
    request = as2.related([as2.payload(b'<x/>', kind),
                           as2.payload(b'p7c', 'application/pkcs7-mime')])
    r.refused(r.message(request, 'S'), 'unexpected-processing-error')
    r.refused(r.message(b'<x/>', 'ES', type=kind), 'unexpected-processing-error')


def test_encrypted_content_without_headers_needs_a_setting(plant):
    r = Relation(plant)
    raw = as2.encrypt(b"UNB+UNOA:2'UNZ'", r.peer.partner_cert)

    def message(r):
        m = r.message(b'', '', change={'Content-Type': raw.get('Content-Type'),
                                       'Content-Disposition': None})
        m.body, m.mic_source = raw.body, b"UNB+UNOA:2'UNZ'"
        return m
    r.refused(message(r), 'decryption-failed')
    r = Relation(plant, operation={'headerless': True})
    r.exchange(message(r))
    assert r.content() == b"UNB+UNOA:2'UNZ'"
