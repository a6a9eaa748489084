"""The command line against a running gateway: good and wrong input, exit status, --json."""

import json
import os
import re
import subprocess
import threading

import pytest

import scene
import waybill
from oftp import File, Server
from scene import Relation, wait_document


def cli(plant, *args, check=0, **options):
    """Lines for people: (standard output, standard error)."""
    result = plant.cli(*args, check=None, json_output=False, **options)
    assert result.returncode == check, (args, result)
    return result.stdout, result.stderr


WRONG = [
    (), ('no-such-command',), ('version', '--no-such-option'), ('show',), ('show', '1', '2'),
    ('apply',), ('apply', '-f'), ('delete', 'process'), ('retry',), ('send', 'x'), ('test',),
    ('listeners', 'pause'), ('listeners', 'stop', 'x'), ('listeners', 'pause', 'a', 'b'),
    ('send', '--partner', 'p', '--timeout', '5s', 'x'),
    ('send', '--partner', 'p', '--wait', '--timeout', 'soon', 'x'),
    ('send', '--partner', 'p', '--name', 'N', 'x', 'y'), ('version', 'extra'),
]


@pytest.mark.parametrize('args', WRONG, ids=' '.join)
def test_misuse_is_status_2(plant, args):
    for flags in False, True:
        result = plant.cli(*args, check=None, json_output=flags)
        assert result.returncode == 2 and result.stdout == ''
        assert result.stderr.startswith('waybill: ') or 'usage' in result.stderr


REFUSED = [
    (('show', '999999'), '999999'), (('retry', '999999'), '999999'),
    (('cancel', '999999'), '999999'), (('acknowledge', '999999'), '999999'),
    (('reject', '999999', '--text', 'x'), '999999'),
    (('show', 'seventeen'), 'seventeen'), (('show', '-1'), '-1'), (('show', '1e3'), '1e3'),
    (('get', 'process', 'nobody'), 'nobody'), (('get', 'animal'), 'animal'),
    (('delete', 'process', 'nobody'), 'nobody'), (('delete', 'animal', 'cow'), 'animal'),
    (('listeners', 'pause', 'nobody'), 'nobody'), (('call', 'nobody'), 'nobody'),
    (('test', 'nobody'), 'nobody'), (('apply', '-f', '/does/not/exist'), '/does/not/exist'),
    (('send', '--partner', 'nobody', '/etc/hostname'), 'nobody'),
    (('documents', '--state', 'lost'), 'lost'), (('documents', '--direction', 'up'), 'up'),
    (('documents', '--from', 'yesterday'), 'yesterday'), (('documents', '--limit', '0'), 'limit'),
    (('documents', '--limit', 'x'), 'x'), (('documents', '--before', '-3'), '-3'),
]


@pytest.mark.parametrize('args, word', REFUSED, ids=lambda a: ' '.join(a) if isinstance(
    a, tuple) else '')
def test_refusals_are_status_1_and_say_why(plant, args, word):
    result = plant.cli(*args, check=None, json_output=False)
    assert result.returncode in (1, 2), result
    assert word in result.stderr and result.stdout == ''
    if result.returncode == 1:
        result = plant.cli(*args, check=1)


def test_no_runtime_there(tmp_path):
    for args in ('documents',), ('show', '1'), ('listeners',), ('stop',), ('trace',):
        result = waybill.run('--socket', tmp_path / 'none.sock', *args, check=1)
        assert 'waybill serve' in result.stderr or 'none.sock' in result.stderr
    result = waybill.run('documents', check=None, env={'WAYBILL_CONFIG': str(tmp_path / 'x.yaml')})
    assert result.returncode in (1, 2) and 'x.yaml' in result.stderr


def test_the_socket_comes_from_the_settings(plant):
    for options in ({'env': {'WAYBILL_SOCKET': plant.socket}},
                    {'env': {'WAYBILL_CONFIG': str(plant.config_file)}}):
        assert 'listeners' in json.loads(waybill.run('--json', 'listeners', **options).stdout)
    out = waybill.run('--config', plant.config_file, '--json', 'documents').stdout
    assert 'documents' in json.loads(out)


@pytest.mark.parametrize('args', [
    ('documents',), ('listeners',), ('get',), ('get', 'partner'), ('receipts',), ('jobs',),
    ('sessions',), ('version',), ('reload',), ('documents', '--state', 'failed', '--limit', '5')])
def test_every_answer_as_json_and_for_people(plant, args):
    Relation(plant).deliver(b'x')
    assert isinstance(plant.cli(*args), dict)
    out, err = cli(plant, *args)
    assert out or args[0] in ('jobs', 'sessions', 'documents', 'receipts')


def test_help_of_every_command(plant):
    out, _ = cli(plant, 'help')
    commands = re.findall(r'^  ([a-z]+) ', out, re.M)
    assert {'serve', 'check', 'apply', 'get', 'delete', 'listeners', 'documents', 'show', 'send',
            'retry', 'test', 'trace', 'version'} <= set(commands)
    for c in commands:
        for args in (('help', c), (c, '--help')):
            text = cli(plant, *args)[0]
            if c == 'bench' and args[1] == '--help':
                assert text.startswith('usage: waybill bench oftp2 ') and 'bench search' in text
            else:
                assert text.startswith(f'{c}: ') and 'usage: ' in text and 'example' in text


# ---- apply, get, delete, check -------------------------------------------------------------

def test_apply_get_delete(plant, tmp_path):
    (tmp_path / 'a').mkdir()
    (tmp_path / 'a' / '1.yaml').write_text('identity: cli-us\noftp2: {odette_id: O0013CLIUS}\n')
    (tmp_path / 'a' / '2.yml').write_text(
        '# a remark that is kept\npartner: cli-p\noftp2: {odette_id: O0013CLIP, password: X}\n')
    process = tmp_path / 'p.yaml'
    process.write_text(waybill.to_yaml(scene.process('cli-in', 'cli-p', to='cli-us')))
    dry = plant.cli('apply', '-f', tmp_path / 'a', '-f', process, '--dry-run')
    assert len(dry['applied']) == 3
    assert plant.cli('get', 'partner', 'cli-p', check=1)
    done = plant.cli('apply', '-f', tmp_path / 'a', '-f', process)
    assert {(a['kind'], a['name'], a['version'], a['unchanged']) for a in done['applied']} == {
        ('identity', 'cli-us', 1, False), ('partner', 'cli-p', 1, False),
        ('process', 'cli-in', 1, False)}
    again = plant.cli('apply', '-f', tmp_path / 'a')
    assert all(a['unchanged'] for a in again['applied'])
    assert 'a remark that is kept' in cli(plant, 'get', 'partner', 'cli-p')[0]
    text = '---\n'.join(['partner: cli-p\noftp2: {odette_id: O0013CLIP, password: Y}\n'])
    assert plant.cli('apply', '-f', '-', stdin=text)['applied'][0]['version'] == 2
    _, err = cli(plant, 'delete', 'partner', 'cli-p', check=1)
    assert 'cli-in' in err
    for kind, name in (('process', 'cli-in'), ('partner', 'cli-p'), ('identity', 'cli-us')):
        cli(plant, 'delete', kind, name)
        cli(plant, 'delete', kind, name, check=1)
    assert not [x for x in plant.cli('get')['components'] if x['name'].startswith('cli-')]


BAD = [
    ('partner: x\noftp2: {odette_id: O0013X, pasword: Y}\n', 2, 'pasword', 'password'),
    ('partner: x\noftp2: {odette_id: O0013THISISMUCHTOOLONGFORACODE, password: Y}\n', 2,
     'odette_id', '25'),
    ('partner: x\noftp2:\n  odette_id: O0013X\n  password: Y\n  credit: 1000\n', 5, 'credit',
     '999'),
    ('process: x\nstart:\n  listen: oftp2-server\n  operation:\n    from: {partner: nobody}\n'
     '    to: {identity: us}\n', 5, 'nobody', 'partner'),
    ('process: x\nstart:\n  listen: oftp2-server\n  operation:\n    from: {partner: nobody}\n',
     5, 'to', ''),
    ('identity: x\noftp2: {odette_id: O0013X}\nidentity: y\n', 3, 'identity', ''),
    ('partner: [x\n', 2, '', ''), ('animal: cow\n', 1, 'kind', 'partner'),
    ('partner: x\n\toftp2: y\n', 2, '', ''), ('just text\n', 1, '', ''),
]


@pytest.mark.parametrize('text, line, word, more', BAD, ids=range(len(BAD)))
def test_problems_are_told_with_their_place(plant, tmp_path, text, line, word, more):
    """file:line:column: what is wrong; nothing is applied, not even the good ones beside it."""
    Relation(plant)
    before = plant.get('/api/v1/components')
    good, bad = tmp_path / 'good.yaml', tmp_path / 'bad.yaml'
    good.write_text('identity: fine\noftp2: {odette_id: O0013FINE}\n')
    bad.write_text(text)
    _, err = cli(plant, 'apply', '-f', good, '-f', bad, check=1)
    found = re.findall(r'^(.*bad\.yaml):(\d+):(\d+): (.*)$', err, re.M)
    assert found, err
    assert any(int(f[1]) == line and word in f[3] and more in f[3] for f in found), found
    assert all(int(f[2]) > 0 for f in found)
    answer = plant.cli('apply', '-f', good, '-f', bad, check=1)
    assert {p['file'] for p in answer['problems']} == {str(bad)}
    assert plant.get('/api/v1/components') == before
    result = waybill.run('check', '--config', plant.config_file, good, bad, check=1)
    assert f'bad.yaml:{line}:' in result.stderr


def test_check_of_settings(plant, tmp_path):
    result = waybill.run('check', '--config', plant.config_file)
    assert result.stdout.startswith('ok')
    config = tmp_path / 'waybill.yaml'
    config.write_text('runtime: {data_directory: /tmp/x}\noftp2_server:\n  endpoints:\n'
                      '    - {port: 70000}\n  creditt: 5\n')
    result = waybill.run('check', '--config', config, check=1)
    places = re.findall(r'waybill\.yaml:(\d+):(\d+): (.*)', result.stderr)
    assert ('4', '14') in [p[:2] for p in places] and ('5', '3') in [p[:2] for p in places]
    assert 'credit' in result.stderr and '65535' in result.stderr
    answer = json.loads(waybill.run('--json', 'check', '--config', config, check=1).stdout)
    assert not answer['ok'] and len(answer['problems']) == len(places)
    result = waybill.run('serve', '--config', config, check=1)
    assert '70000' in result.stderr
    waybill.run('check', '--config', tmp_path / 'none.yaml', check=1)


def test_dump_hides_secrets_and_can_be_read_back(plant, tmp_path):
    out = waybill.run('dump', '--config', plant.config_file).stdout
    assert 'max_sessions_per_partner: 10' in out
    (tmp_path / 'again.yaml').write_text(out)
    waybill.run('check', '--config', tmp_path / 'again.yaml')


# ---- documents -----------------------------------------------------------------------------

def test_send_and_wait(plant, tmp_path):
    with Server('O0013CLISEND', 'PW') as server:
        server.start()
        r = Relation(plant, server=server)
        path = tmp_path / 'invoice_1.edi'
        path.write_bytes(b'x' * 300_000)
        out, _ = cli(plant, 'send', '--partner', r.name, '--wait', '--timeout', '20s', path)
        assert 'acknowledged' in out
        got = server.next_file()
        assert got.data == b'x' * 300_000
        assert (got.sfid.dsn, got.sfid.desc) == ('INVOICE-1.EDI', 'invoice_1.edi')
        answer = plant.cli('send', '--partner', r.name, '--name', 'FIXED', '--format', 'F',
                           '--record-length', '3', '--description', 'ok', '-', stdin='abcdef')
        wait_document(plant, answer['id'], 'acknowledged')
        assert server.next_file().records == [b'abc', b'def']
        one = plant.cli('send', '--partner', r.name, '--key', 'K1', path)['id']
        assert plant.cli('send', '--partner', r.name, '--key', 'K1', path)['id'] == one
        other = tmp_path / 'b'
        other.write_text('b')
        answer = plant.cli('send', '--partner', r.name, path, other)
        assert len(answer['documents']) == 2
    for args in (('--format', 'F', '--record-length', '4', '-'), ('--format', 'Q', '-'),
                 ('--format', 'V', '-'), ('--identity', 'nobody', '-')):
        assert plant.cli('send', '--partner', r.name, *args, check=None,
                         stdin='abcdef').returncode == 1, args
    _, err = cli(plant, 'send', '--partner', r.name, tmp_path, check=1)
    assert 'directory' in err
    cli(plant, 'send', '--partner', r.name, tmp_path / 'none', check=1)


def test_send_that_is_refused_or_takes_too_long(plant, tmp_path):
    with Server('O0013CLIREFUSE', 'PW') as server:
        r = Relation(plant, server=server)
        server.start(refuse=lambda sfid: (1, 'N', 'not that name'))
        (tmp_path / 'f').write_text('x')
        _, err = cli(plant, 'send', '--partner', r.name, '--wait', tmp_path / 'f', check=1)
        assert 'not that name' in err
    passive = Relation(plant)
    _, err = cli(plant, 'send', '--partner', passive.name, '--wait', '--timeout', '300ms',
                 tmp_path / 'f', check=1)
    assert 'still sealed' in err or 'still queued' in err
    number = passive.documents()[0]['id']
    scene.wait_document(plant, number, 'sealed')
    cli(plant, 'cancel', str(number))
    cli(plant, 'cancel', str(number), check=1)
    assert scene.document(plant, number)['state'] == 'failed'
    with passive.call() as me:
        assert me.run() == 0 and me.files == []


def test_list_and_show(plant):
    r = Relation(plant)
    r.deliver(*[File(b'%d' % i, dsn=f'LIST-{i}') for i in range(5)])
    r.wait_document('processed', count=5)
    names = [d['name'] for d in plant.cli('documents', '--partner', r.name)['documents']]
    assert names == [f'LIST-{i}' for i in (4, 3, 2, 1, 0)]
    page = plant.cli('documents', '--partner', r.name, '--limit', '2')
    rest = plant.cli('documents', '--partner', r.name, '--before', str(page['next']))
    assert [d['name'] for d in page['documents'] + rest['documents']] == names
    assert len(plant.cli('documents', '--name', 'LIST-3', '--text', r.code)['documents']) == 1
    out, _ = cli(plant, 'show', str(page['documents'][0]['id']))
    for text in 'LIST-4', r.code, 'processed', 'EERP', 'receiving', r.listener:
        assert text in out
    out, _ = cli(plant, 'listeners')
    line, = [x for x in out.splitlines() if x.startswith(r.listener)]
    assert 'listening' in line and r.code in line


def test_download(plant, tmp_path):
    r = Relation(plant)
    r.deliver(File(b'octets', dsn='DOWN'))
    d = r.wait_document('processed')
    result = subprocess.run([waybill.binary(), '--socket', plant.socket, 'download',
                             str(d['id'])], capture_output=True, cwd=tmp_path)
    assert result.returncode == 0, result
    found = result.stdout or b''.join(p.read_bytes() for p in tmp_path.iterdir())
    assert b'octets' in found


# ---- trace ---------------------------------------------------------------------------------

class Trace:
    """`waybill trace` running; .lines grows."""

    def __init__(self, plant, *args, flags=()):
        self.lines = []
        before = len(plant.log_lines('api.trace.begin'))
        self.process = subprocess.Popen(
            [waybill.binary(), '--socket', plant.socket, *flags, 'trace', *args],
            stdout=subprocess.PIPE, text=True)
        self.reader = threading.Thread(target=self.follow, daemon=True)
        self.reader.start()
        plant.wait_log('api.trace.begin', before + 1)

    def follow(self):
        for line in self.process.stdout:
            self.lines.append(line)

    def until(self, word):
        waybill.wait_until(lambda: any(word in x for x in self.lines), 20, f'{word} traced')

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # Not SIGINT: a test run in the background is started with that ignored.
        self.process.terminate()
        self.process.wait(waybill.patient(20))
        self.reader.join(20)


@pytest.mark.parametrize('by', ['name', 'code', 'all'])
def test_trace(plant, by):
    """Every command decoded into its fields, without passwords; others' sessions are not shown."""
    r, other = Relation(plant, password='HIDEME'), Relation(plant)
    args = {'name': [r.name], 'code': [r.code], 'all': []}[by]
    with Trace(plant, *args) as t:
        other.deliver(b'x')
        r.deliver(File(b'y' * 100_000, dsn='TRACED', desc='März'))
        t.until('ESID')
        if by == 'all':
            waybill.wait_until(lambda: sum('ESID' in x for x in t.lines) == 2)
    text = ''.join(t.lines)
    mine = [x for x in t.lines if f' {r.name} ' in x]
    for word in 'SSRM', 'SSID', 'SFID', 'SFPA', 'DATA', 'EFID', 'EFPA', 'CD', 'EERP', 'RTR', 'ESID':
        assert any(word in x for x in mine), word
    assert 'TRACED' in text and r.code in text
    assert 'HIDEME' not in text and 'OURPW' not in text
    assert (other.code in text) == (by == 'all')
    assert all(x.isprintable() for x in text.splitlines())


def test_trace_as_json(plant):
    r = Relation(plant)
    with Trace(plant, r.name, flags=['--json']) as t:
        r.deliver(b'x')
        t.until('ESID')
    assert all('line' in json.loads(x) for x in t.lines)


def test_stop_by_command(gateway):
    g = gateway()
    assert os.path.exists(g.socket)
    g.cli('stop', '--wait')
    assert g.exit_status() == 0
    assert g.wait_log('serve.end')


def test_two_runtimes_cannot_share_a_store(gateway, tmp_path):
    g = gateway()
    config = waybill.merge(g.config, {'admin': {'socket': str(tmp_path / 's'), 'listen': ''},
                                      'oftp2_server': {'endpoints': []}})
    (tmp_path / 'second.yaml').write_text(waybill.to_yaml(config))
    result = waybill.run('serve', '--config', tmp_path / 'second.yaml', check=1)
    assert str(g.data) in result.stderr
    Relation(g).deliver(b'the first goes on')


def test_a_port_in_use(gateway, tmp_path):
    g = gateway()
    config = waybill.merge(g.config, {'admin': {'socket': str(tmp_path / 's'), 'listen': ''},
                                      'runtime': {'data_directory': str(tmp_path / 'd')}})
    (tmp_path / 'second.yaml').write_text(waybill.to_yaml(config))
    result = waybill.run('serve', '--config', tmp_path / 'second.yaml', check=1)
    assert str(g.port) in result.stderr and 'endpoints' in result.stderr
