"""Holds what the admin API answers against docs/openapi.json. Without python3-jsonschema (see
scripts/install-deps.sh) nothing is looked at here; test_openapi.py then says so."""

import functools
import json
import pathlib
import re
import urllib.parse

try:
    import jsonschema
except ImportError:
    jsonschema = None

FILE = pathlib.Path(__file__).resolve().parents[2] / 'docs' / 'openapi.json'


@functools.cache
def document():
    return json.loads(FILE.read_text())


def operations():
    """(method, path template, operation) of each."""
    return [(method.upper(), path, o) for path, item in document()['paths'].items()
            for method, o in item.items()]


@functools.cache
def _patterns():
    return [(m, p, re.compile(re.sub(r'\{\w+\}', '[^/]+', p)), o) for m, p, o in operations()]


def operation(method, target):
    """The operation of a request, None when there is none."""
    path = urllib.parse.urlsplit(target).path
    found = [(t, o) for m, t, p, o in _patterns() if m == method and p.fullmatch(path)]
    # '/documents/{id}/resend' is meant before '/documents/{id}/{what}'
    found.sort(key=lambda found: found[0].count('{'))
    return found[0][1] if found else None


@functools.cache
def _validator(text):
    schema = {**json.loads(text), 'components': document()['components']}
    return jsonschema.Draft202012Validator(
        schema, format_checker=jsonschema.FormatChecker())


ERROR = '{"$ref": "#/components/schemas/Error"}'


def check(method, target, status, body):
    """Fails when the answer is not one of those the document describes."""
    if jsonschema is None or status in (414, 431):
        return  # refused by the HTTP server, before the API: plain text
    o = operation(method, target)
    if o is None:
        assert status >= 400, (method, target, status)
        schema = ERROR
    else:
        answer = o['responses'].get(str(status))
        if answer is None:
            assert status >= 400, f'{method} {target}: {status} is not in the OpenAPI document'
            answer = o['responses']['default']
        media = answer['content'].get('application/json')
        if media is None:
            return
        schema = json.dumps(media['schema'])
    problems = list(_validator(schema).iter_errors(json.loads(body)))
    assert not problems, f'{method} {target}: {status}: {problems[0]}'
