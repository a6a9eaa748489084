"""How the console's files are served: headers, caches, encodings, and what is told before log-on.
What they do in a browser is in tests/console."""

import contextlib
import gzip
import http.client
import json
import re

import pytest

from patience import patient


def ask(g, path, method='GET', headers=None):
    """(status, fields, octets) over TCP, without log-on."""
    with contextlib.closing(http.client.HTTPConnection(*g.admin, timeout=patient(20))) as c:
        c.request(method, path, headers=headers or {})
        r = c.getresponse()
        return r.status, {k.lower(): v for k, v in r.getheaders()}, r.read()


@pytest.fixture
def page(plant):
    status, fields, body = ask(plant, '/console/')
    if status == 404:
        assert b'built without the web console' in body
        pytest.skip('this waybill was built without the console')
    assert status == 200
    return fields, body.decode()


def files(text):
    return re.findall(r'(?:href|src)="(/console/[^"]+)"', text)


def test_the_root_leads_to_the_console(plant):
    for path in '/', '/console':
        status, fields, _ = ask(plant, path)
        assert (status, fields['location']) == (308, '/console/')


def test_the_page_has_strict_headers_and_names_files_of_ours_only(page):
    fields, text = page
    policy = dict(x.strip().partition(' ')[::2] for x in fields['content-security-policy'].split(';'))
    assert policy['default-src'] == "'none'"
    assert policy['script-src'] == policy['style-src'] == policy['connect-src'] == "'self'"
    assert policy['frame-ancestors'] == policy['base-uri'] == "'none'"
    assert 'unsafe' not in fields['content-security-policy']
    assert fields['x-content-type-options'] == 'nosniff'
    assert fields['referrer-policy'] == 'no-referrer'
    assert fields['cross-origin-opener-policy'] == fields['cross-origin-resource-policy'] == 'same-origin'
    assert fields['cache-control'] == 'no-cache'
    assert len(files(text)) == 3 and '://' not in text
    assert '<style' not in text and ' style=' not in text and ' on' not in re.sub(r'>[^<]*<', '><', text)


def test_files_named_by_their_content_are_kept_for_good(plant, page):
    for path in files(page[1]):
        status, fields, body = ask(plant, path)
        assert status == 200 and len(body) > 100
        assert fields['cache-control'] == 'public, max-age=31536000, immutable'
        assert fields['x-content-type-options'] == 'nosniff'
        kind = {'js': 'text/javascript', 'css': 'text/css', 'svg': 'image/svg+xml'}[path.rpartition('.')[2]]
        assert fields['content-type'].startswith(kind)


def test_who_takes_gzip_gets_it_and_others_get_the_same_octets_opened(plant, page):
    for path in '/console/', *files(page[1]):
        plain = ask(plant, path)
        assert 'content-encoding' not in plain[1] and plain[1]['vary'] == 'Accept-Encoding'
        packed = ask(plant, path, headers={'Accept-Encoding': 'br, gzip;q=0.8'})
        assert packed[1]['content-encoding'] == 'gzip' and gzip.decompress(packed[2]) == plain[2]
        refused = ask(plant, path, headers={'Accept-Encoding': 'gzip;q=0'})
        assert 'content-encoding' not in refused[1] and refused[2] == plain[2]


def test_what_did_not_change_is_not_sent_again(plant, page):
    etag = page[0]['etag']
    for given in etag, f'"other", {etag}', f'W/{etag}':
        status, fields, body = ask(plant, '/console/', headers={'If-None-Match': given})
        assert (status, body, fields['etag']) == (304, b'', etag)
        assert 'content-security-policy' in fields
    assert ask(plant, '/console/', headers={'If-None-Match': '"other"'})[0] == 200


def test_addresses_within_the_console_are_the_page_and_missing_files_are_not(plant, page):
    for path in '/console/documents/7', '/console/documents?state=failed', '/console/partners/acme.example/x':
        assert ask(plant, path)[2].decode() == page[1], path
    for path in '/console/app-0.js', '/console/favicon.ico':
        status, _, body = ask(plant, path)
        assert status == 404 and 'no file' in json.loads(body)['error']
    assert ask(plant, '/console/', 'HEAD')[::2] == (200, b'')
    status, fields, _ = ask(plant, '/console/', 'POST', {'Content-Length': '0'})
    assert (status, fields['allow']) == (405, 'GET, HEAD')


def test_the_terms_of_what_is_bundled_go_along(plant, page):
    status, fields, body = ask(plant, '/console/licenses.txt')
    assert status == 200 and fields['content-type'].startswith('text/plain')
    assert b'preact' in body and b'The MIT License' in body


def test_before_log_on_it_tells_only_whether_there_is_a_user(plant, page):
    status, fields, body = ask(plant, '/console/start')
    assert status == 200 and fields['cache-control'] == 'no-store'
    assert json.loads(body) == {'users': False, 'session': None}


def test_no_other_host_name_is_served(plant, page):
    """A page of somebody else whose name leads to this machine."""
    for path in '/console/', '/console/start', '/':
        assert ask(plant, path, headers={'Host': 'evil.example'})[0] == 403
