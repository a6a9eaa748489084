"""The manual is so: its settings are taken, its commands are commands of the program, and who follows
the page for beginners line by line gets where it says."""

import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess

import pytest
import waybill

ROOT = pathlib.Path(__file__).parents[2]
PAGES = [ROOT / 'README.md', ROOT / 'CONTRIBUTING.md', *sorted((ROOT / 'docs').glob('*.md'))]
FENCE = re.compile(r'^```(\w*)\n(.*?)^```$', re.M | re.S)
SETTINGS = re.compile(r'(?:#.*\n)*(runtime|oftp2_server|as2_server|retention|alerts|admin|log):')


def line_of(text, at):
    return text.count('\n', 0, at) + 1


def fences(*languages):
    """(page and line, language, text) of each block of text in the manual."""
    for page in PAGES:
        text = page.read_text()
        for m in FENCE.finditer(text):
            if m[1] in languages:
                yield f'{page.name}:{line_of(text, m.start())}', m[1], m[2]


# ---- settings ------------------------------------------------------------------------------

# What fragments refer to and leave out; one of a fragment's own takes its place.
OURS = {k: 'some' for k in ('signing_certificate', 'decryption_certificate')}
THEIRS = {k: 'some' for k in ('signing_certificate', 'encryption_certificate')}
AROUND = {
    ('identity', 'us'): {'oftp2': {'odette_id': 'O0013000002US', 'password': 'OURS', **OURS},
                         'as2': {'as2_id': 'US-AS2', **OURS, 'mdn_signing_certificate': 'some'}},
    **{('partner', name): {'oftp2': {'odette_id': f'O00130000{n}', 'password': f'P{n}'},
                           'as2': {'as2_id': name, **THEIRS}}
       for n, name in enumerate(('acme', 'plant-7', 'plant-8', 'bolt', 'carol'), 10)},
}
START = 'start: {listen: oftp2-server, operation: {from: {partner: acme}, to: {identity: us}}}'
OFTP2 = 'oftp2: {odette_id: O0013ACME}'
AS2 = ('as2: {as2_id: ACME, url: "https://as2.acme.example/", signing_certificate: some, '
       'encryption_certificate: some}')
# How the pages write what is said elsewhere.
SHORT = {'start: ...': START, 'oftp2: ...': f'{OFTP2}\n{AS2}', 'oftp2: {...}': f'{OFTP2}\n{AS2}',
         'as2: {...}': AS2, '  ...\n': '  odette_id: O0013PLANT\n'}


def completed(text):
    """The fragment with what it leaves out."""
    for short, full in SHORT.items():
        text = text.replace(short, full)
    if text.lstrip().startswith('- '):
        text = f'process: p\n{START}\nsteps:\n{text}'
    return text


def certificates_of(text, made):
    """Components for the certificates that a fragment names and does not bring."""
    brought = set(re.findall(r'^certificate: (\S+)', text, re.M))
    named = {'some', *re.findall(r'(?:certificates?|authorities|trust): ([a-z][\w.-]*)', text)}
    return [f'certificate: {name}\nfile: {made["pem"]}\nkey_file: {made["key"]}\n'
            for name in sorted(named - brought)]


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    """A key pair and the folders that fragments speak of."""
    d = tmp_path_factory.mktemp('made')
    waybill.run('certificates', 'generate', 'any', '--cn', 'any', '--bits', '2048', '--out', d)
    subprocess.run(['openssl', 'pkcs12', '-export', '-in', d / 'any.pem', '-inkey', d / 'any.key',
                    '-out', d / 'any.p12', '-passout', 'pass:any'], check=True, capture_output=True)
    return {'pem': d / 'any.pem', 'key': d / 'any.key', 'p12': d / 'any.p12'}


def with_files(text, made):
    """Paths of certificates and keys become those of files that are there."""
    text = re.sub(r'/etc/waybill/[\w-]+\.key\b', str(made['key']), text)
    text = re.sub(r'/etc/waybill/[\w-]+\.(?:pem|crt|cer)\b', str(made['pem']), text)
    text = re.sub(r'/etc/waybill/[\w-]+\.p12\b', str(made['p12']), text)
    return text.replace('pkcs12_password: {secret: sign_next}', 'pkcs12_password: any')


def fragments():
    for where, _, text in fences('yaml'):
        if 'scrape_configs' not in text:    # Prometheus's
            yield where, text
    for path in sorted((ROOT / 'examples').glob('*.yaml')):
        yield path.name, path.read_text()


def test_each_fragment_of_settings_and_components_is_taken(tmp_path, made):
    problems, seen = [], 0
    for n, (where, text) in enumerate(fragments()):
        settings, components = 'runtime: {data_directory: /var/lib/waybill}\n', ''
        if SETTINGS.match(text):
            settings = text if 'runtime:' in text else settings + text
        else:
            components = with_files(completed(text), made)
        parts = [components] if components else []
        brought = set(re.findall(r'^(identity|partner): (\S+)', components, re.M))
        if components:
            parts += [waybill.to_yaml({kind: name, **rest})
                      for (kind, name), rest in AROUND.items() if (kind, name) not in brought]
            parts += certificates_of(components, made)
        config, file = tmp_path / f'{n}.yaml', tmp_path / f'{n}-components.yaml'
        config.write_text(settings)
        file.write_text('---\n'.join(parts))
        said = waybill.run('check', '--config', config, *([file] if components else []), check=None)
        seen += 1
        if said.returncode != 0:
            problems.append(f'{where}:\n{said.stdout}{said.stderr}')
    assert not problems, '\n'.join(problems)
    assert seen > 20


# ---- commands ------------------------------------------------------------------------------

# These would start, stop or measure something, or make files: only their options are looked at.
ONLY_HELP = {'serve', 'stop', 'init', 'restore', 'bench'}
PLACEHOLDERS = {'ID': '17', 'ID...': '17'}
# So that none asks for a password, nor makes files elsewhere.
HERE = ['--out', '.', '--bits', '2048']
MORE = {('users', 'add'): ['--password-file', 'none'], ('certificates', 'generate'): HERE,
        ('certificates', 'request'): HERE}
# What makes a part of a command wrong; a whole one must be right altogether.
WRONG = re.compile(r"unknown option|there is no command|, not '|one too many")


def commands():
    """(where, the words after `waybill`, whether it is a whole command)"""
    for where, language, text in fences('sh', ''):
        if where.startswith('cli.md') and re.match(r'waybill [^\n]*[\[|]', text):
            continue    # how a command is used
        if '+----' in text:
            continue    # a picture
        for m in re.finditer(r'(?:^|[;&|(]|\$ |-u waybill )\s*waybill (?=[a-z-])'
                             r'((?:"[^"]*"|\'[^\']*\'|[^#;&|)\n<>"\'])*)', text, re.M):
            yield where, re.sub(r'\s2$', '', m[1]), True
    for page in PAGES:
        for m in re.finditer(r'`waybill ((?:[^`\n]|\n(?!\n))+)`', FENCE.sub('', page.read_text())):
            yield page.name, re.sub(r' > \S+$', '', m[1]), False


def alternatives(text):
    """`a|b|c` is three commands; what is in brackets may be there or not."""
    found = [[]]
    for word in shlex.split(text.replace('[', ' ').replace(']', ' ')):
        choices = word.split('|') if re.fullmatch(r'[a-z|]+', word) else [PLACEHOLDERS.get(word, word)]
        found = [[*before, c] for before in found for c in choices]
    return found


def test_each_command_is_one_of_the_program(tmp_path):
    names = set(re.findall(r'^## (\S+)$', waybill.run('help', '--markdown').stdout, re.M))
    problems, tried = [], set()
    for where, text, whole in commands():
        for words in alternatives(text):
            if tuple(words) in tried:
                continue
            tried.add(tuple(words))
            name = next((w for w in words if w in names), None)
            if name in ONLY_HELP:
                words = [*words, '--help']
            for key, more in MORE.items():
                words = [*words, *more] if set(key) <= set(words) else words
            said = subprocess.run([waybill.binary(), '--socket', tmp_path / 'none', *words], cwd=tmp_path,
                                  capture_output=True, text=True, stdin=subprocess.DEVNULL,
                                  timeout=waybill.patient(60))
            if said.returncode not in (0, 1, 2) or name is None or \
                    said.returncode == 2 and (whole or WRONG.search(said.stderr)):
                problems.append(f'{where}: waybill {text}: {said.stderr.strip()}')
    assert not problems, '\n'.join(problems)
    assert len(tried) > 100


# ---- the API from a program ----------------------------------------------------------------


@pytest.mark.skipif(shutil.which('curl') is None, reason='there is no curl')
def test_the_requests_of_the_api_page_are_answered(gateway, tmp_path):
    with waybill.nobody() as port:
        g = gateway(components=[
            {'identity': 'us', 'oftp2': {'odette_id': 'O0013US', 'password': 'OURS'}},
            {'partner': 'acme', 'oftp2': {'odette_id': 'O0013ACME', 'password': 'THEIRS', 'identity': 'us',
                                          'host': '127.0.0.1', 'port': port}}])
        text, = (t for where, _, t in fences('sh') if where.startswith('api.md'))
        (tmp_path / 'invoice.edi').write_text('an invoice')
        head, rest = text.split('# {"id":17}', 1)
        assert '/17' in rest and '127.0.0.1:8090' in head
        script = (f'set -eu\nwaybill() {{ {waybill.binary()} --socket {g.socket} "$@"; }}\n'
                  + head.replace('127.0.0.1:8090', '%s:%d' % g.admin)
                  + '\nID=$(curl -sSf --unix-socket ' + g.socket + ' "http://localhost/api/v1/documents" |'
                  + " sed 's/.*\"id\":\\([0-9]*\\),.*/\\1/')\n# " + rest.replace('/17', '/$ID'))
        said = subprocess.run(['bash', '-c', script], cwd=tmp_path, capture_output=True, text=True,
                              timeout=waybill.patient(60))
    assert said.returncode == 0, script + said.stderr
    assert (tmp_path / 'copy.edi').read_text() == 'an invoice'
    assert '"id":' in said.stdout and '"state":"failed"' in said.stdout, said.stdout


# ---- the page for beginners ----------------------------------------------------------------


def test_who_follows_getting_started_gets_where_it_says(tmp_path):
    text = (ROOT / 'docs/getting-started.md').read_text()
    home, ports = tmp_path / 'h', {}
    home.mkdir()
    script = [f'set -eu\nexport HOME={home} PATH={pathlib.Path(waybill.binary()).resolve().parent}:$PATH\n'
              # a machine under load takes longer than people are told to wait
              'sleep() {\n'
              f'    command sleep "$(awk "BEGIN {{ print $1 * {waybill.slow()} }}")"\n'
              '    for side in acme plant-7; do\n'
              '        while jobs -r | grep -q "serve --config $side/"; do\n'
              '            if waybill --config "$HOME/edi/$side/waybill.yaml" listeners >/dev/null 2>&1; then break; fi\n'
              '            command sleep 0.2\n'
              '        done\n'
              '    done\n'
              '}\n']
    for m in FENCE.finditer(text):
        if m[1] == 'sh':
            script.append(f'echo "== {line_of(text, m.start())}"\n{m[2]}')
    script = '\n'.join(script).replace('wait $!', 'wait $! || true')    # timeout's status
    # What people can follow with their eyes goes faster here.
    script = script.replace('first: 5s', 'first: 1s').replace('timeout 5 ', 'timeout 2 ')
    held = []
    for port in '13305', '23305', '16619', '26619':
        held.append(waybill.hold(0))
        ports[port] = str(held[-1].getsockname()[1])
    assert r'port: [12]3305/a' in script
    script = script.replace('port: [12]3305/a', rf'port: \({ports["13305"]}\|{ports["23305"]}\)/a')
    for port, ours in ports.items():
        script = script.replace(port, ours)
    with open(tmp_path / 'out', 'w+') as out:
        p = subprocess.Popen(['bash', '-c', script], cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=out,
                             stderr=subprocess.STDOUT, start_new_session=True)
        try:
            status = p.wait(waybill.patient(120))
        finally:
            try:
                os.killpg(p.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            for s in held:
                s.close()
        out.seek(0)
        said = out.read()
    assert status == 0, said
    print(said)
    assert said.count('acknowledged') > 5 and 'exit status 1' in said, said
