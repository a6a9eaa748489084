"""What happens to a document: steps, their failures, retries, the archive and tracked fields."""

import contextlib
import os
import pathlib
import re
import sqlite3

import pytest

import scene
import waybill
from oftp import File, Server
from scene import OWN, Relation, document, events, post, query, wait_document
from web import Web


def one(relation, *states, data=b'content', **fields):
    """Hands over a file; its document once it is in one of these states."""
    with relation.call() as me:
        assert me.send_file(File(data, **{'dsn': 'ORDERS', **fields})).taken
        assert me.run() == 0
    return relation.wait_document(*(states or ('processed',)))


def retry(plant, d, *states):
    post(plant, f'/api/v1/documents/{d["id"]}/retry')
    return wait_document(plant, d['id'], *(states or ('processed',)))


# ---- write ---------------------------------------------------------------------------------

def test_write_names_by_template(plant, tmp_path):
    r = Relation(plant, steps=[{'write': {
        'directory': tmp_path, 'name': '{{document.id}}-{{ oftp2.sfiddsn }}-{{document.from}}'
                                       '-{{document.to}}-{{oftp2.sfiddate}}.edi'}}])
    d = one(r, date='20261121', time='1015300001')
    assert [p.name for p in plant.wait_files(tmp_path)] == [
        f'{d["id"]}-ORDERS-{r.code}-{OWN}-20261121.edi']


def test_write_default_name(plant, tmp_path):
    r = Relation(plant, steps=[{'write': {'directory': tmp_path}}])
    d = one(r)
    assert [p.name for p in plant.wait_files(tmp_path)] == [f'{d["id"]}-ORDERS']


@pytest.mark.parametrize('existing', [None, 'fail', 'replace', 'number'])
def test_write_where_there_is_a_file(plant, tmp_path, existing):
    step = {'directory': tmp_path, 'name': '{{document.name}}'}
    r = Relation(plant, steps=[{'write': step | ({'existing': existing} if existing else {})}])
    one(r, data=b'first')
    d = one(r, 'processed' if existing in ('replace', 'number') else 'failed', data=b'second',
            desc='again')
    if existing in (None, 'fail'):
        d = r.wait_document('failed')
        assert 'existing' in d['reason'] and str(tmp_path) in d['reason']
        assert (tmp_path / 'ORDERS').read_bytes() == b'first'
        (tmp_path / 'ORDERS').unlink()
        retry(plant, d)
        assert (tmp_path / 'ORDERS').read_bytes() == b'second'
        return
    r.wait_document('processed', count=2)
    content = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    assert content == ({'ORDERS': b'second'} if existing == 'replace' else
                       {'ORDERS': b'first', 'ORDERS.1': b'second'})


def test_write_into_a_folder_that_is_not_there(plant, tmp_path):
    r = Relation(plant, steps=[{'write': {'directory': tmp_path / 'later'}}])
    d = one(r, 'failed')
    assert 'later' in d['reason'] and 'step 1 (write)' in d['reason']
    assert d['executions'][0]['outcome'] == 'failed'
    r.log('document.failed.*later')
    (tmp_path / 'later').mkdir()
    d = retry(plant, d)
    assert [x['outcome'] for x in d['executions']] == ['failed', 'processed']
    assert len(plant.wait_files(tmp_path / 'later')) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason='root may write anywhere')
def test_write_into_a_folder_that_is_locked(plant, tmp_path):
    tmp_path.chmod(0o500)
    r = Relation(plant, steps=[{'write': {'directory': tmp_path}}])
    d = one(r, 'failed')
    tmp_path.chmod(0o700)
    retry(plant, d)


# ---- exec ----------------------------------------------------------------------------------

def shell(script, *arguments, **more):
    return {'exec': {'command': ['/bin/sh', '-c', script, 'sh', *arguments], **more}}


@pytest.mark.parametrize('size', [0, 7, 3_000_000])
def test_exec_gets_the_document(plant, tmp_path, size):
    """On standard input, whether kept in the row or in a file; properties in the environment and as
    arguments; nothing is a shell's business."""
    r = Relation(plant, steps=[shell(f'cat >{tmp_path}/in; env >{tmp_path}/env; printf "%s" "$*" '
                                     f'>{tmp_path}/args', '{{document.name}}', "{{document.to}}",
                                     '$(id); {{oftp2.sfiddesc}}')])
    data = os.urandom(size)
    d = one(r, data=data, desc="it's `März`", user='U1')
    assert (tmp_path / 'in').read_bytes() == data
    assert (tmp_path / 'args').read_text() == f"ORDERS {OWN} $(id); it's `März`"
    env = dict(x.split('=', 1) for x in (tmp_path / 'env').read_text().splitlines() if '=' in x)
    want = {'DOCUMENT_ID': str(d['id']), 'DOCUMENT_NAME': 'ORDERS', 'DOCUMENT_FROM': r.code,
            'DOCUMENT_TO': OWN, 'DOCUMENT_PARTNER': r.name, 'DOCUMENT_LISTENER': r.listener,
            'DOCUMENT_SIZE': str(size), 'OFTP2_SFIDDSN': 'ORDERS', 'OFTP2_SFIDUSER': 'U1',
            'OFTP2_SFIDDESC': "it's `März`", 'EXECUTION_REDELIVERED': 'false'}
    assert {k: env.get(f'WAYBILL_{k}') for k in want} == want
    assert not [k for k in env if k.startswith('WAYBILL_SECRET') or k == 'WAYBILL_BINARY']


def test_exec_fails_with_its_status_and_last_words(plant, tmp_path):
    r = Relation(plant, steps=[shell(f'test -e {tmp_path}/go || {{ echo table is locked >&2; '
                                     'exit 7; }')])
    d = one(r, 'failed')
    assert 'exited with 7' in d['reason'] and 'table is locked' in d['reason']
    assert 'step 1 (exec)' in d['reason']
    (tmp_path / 'go').touch()
    retry(plant, d)


@pytest.mark.parametrize('end,said', [('exit 3', 'exited with 3'),
                                      ('kill -9 $$', 'was ended by signal 9')])
def test_exec_that_printed_nothing_says_no_more_than_how_it_ended(plant, end, said):
    d = one(Relation(plant, steps=[shell(end)]), 'failed')
    assert d['reason'].endswith(said), d['reason']
    assert 'an `exec` step failed' in waybill.run('explain', d['reason']).stdout


def test_exec_is_stopped_when_its_time_is_up(plant, tmp_path):
    """With whatever it started."""
    for timeout in '400ms', '3s', '20s':
        r = Relation(plant, steps=[shell(
            f'echo working; sleep 600 & echo $! >{tmp_path}/pid; wait', timeout=timeout)])
        d = one(r, 'failed')
        assert 'exec.timeout' in d['reason']
        if (tmp_path / 'pid').exists() and (tmp_path / 'pid').read_text().endswith('\n'):
            break       # else it had not begun when its time was up
    assert 'working' in d['reason']
    pid = int((tmp_path / 'pid').read_text())

    def gone():
        try:
            return '\nState:\tZ' in pathlib.Path(f'/proc/{pid}/status').read_text()
        except FileNotFoundError:
            return True
    waybill.wait_until(gone, 10, 'the grandchild to be gone')


@pytest.mark.parametrize('command, words', [
    (['/does/not/exist'], ('cannot run', '/does/not/exist')),
    (['/bin/sh', '-c', 'kill -9 $$'], ('signal 9',)),
])
def test_exec_that_does_not_run(plant, command, words):
    d = one(Relation(plant, steps=[{'exec': {'command': command}}]), 'failed')
    assert all(w in d['reason'] for w in words)


def test_exec_that_reads_nothing_and_says_a_lot(plant):
    """Neither fills a pipe that nobody empties."""
    r = Relation(plant, steps=[shell('head -c 3000000 /dev/zero | tr "\\0" x; exit 0')])
    one(r, data=os.urandom(2_000_000))


def test_steps_go_on_where_they_failed(plant, tmp_path):
    """What was done is not done again."""
    r = Relation(plant, steps=[
        {'write': {'directory': tmp_path, 'name': 'once-{{document.id}}'}},
        shell(f'echo run >>{tmp_path}/second'),
        shell(f'test -e {tmp_path}/go'),
        shell(f'echo run >>{tmp_path}/fourth')])
    d = one(r, 'failed')
    assert 'step 3 (exec)' in d['reason']
    d = retry(plant, d, 'failed')
    (tmp_path / 'go').touch()
    d = retry(plant, d)
    assert (tmp_path / 'second').read_text() == 'run\n'
    assert (tmp_path / 'fourth').read_text() == 'run\n'
    assert len(d['executions']) == 3
    post(plant, f'/api/v1/documents/{d["id"]}/retry', status=409)


# ---- http ----------------------------------------------------------------------------------

@pytest.mark.parametrize('size', [0, 10, 2_000_000])
def test_http(plant, size):
    data = os.urandom(size)
    with Web(200) as web:
        r = Relation(plant, steps=[{'http': {'url': web.url + '/{{document.name}}',
                                             'content_type': 'application/edifact',
                                             'method': 'PUT'}}])
        d = one(r, data=data)
    (method, path, headers, body), = web.requests
    assert (method, path, body) == ('PUT', '/edi/ORDERS', data)
    assert headers['Content-Type'] == 'application/edifact'
    assert headers['X-Waybill-Document'] == str(d['id'])
    assert (headers['X-Waybill-From'], headers['X-Waybill-To']) == (r.code, OWN)
    assert headers['X-Waybill-Redelivered'] == 'false'


def test_http_that_fails_is_tried_again(plant):
    with Web(500, 503, 429, 204) as web:
        r = Relation(plant, steps=[{'http': {'url': web.url, 'retry_delay': '20ms'}}])
        d = one(r)
        assert len(web.requests) == 4
    assert events(d).count('step later') == 3
    assert not d['redelivered']


def test_http_that_fails_too_often(plant):
    with Web(500) as web:
        r = Relation(plant, steps=[{'http': {'url': web.url, 'retry_delay': '10ms',
                                             'retries': 2}}])
        d = one(r, 'failed')
        assert len(web.requests) == 3
        assert '500' in d['reason'] and 'it says why' in d['reason']
        web.statuses = [200]
        retry(plant, d)


@pytest.mark.parametrize('status', [400, 404, 422])
def test_http_answers_that_are_final(plant, status):
    with Web(status) as web:
        r = Relation(plant, steps=[{'http': {'url': web.url, 'retry_delay': '10ms'}}])
        d = one(r, 'failed')
        assert len(web.requests) == 1 and str(status) in d['reason']


def test_http_where_nobody_listens(plant):
    with waybill.nobody() as port:
        url = f'http://127.0.0.1:{port}/edi'
        r = Relation(plant, steps=[{'http': {'url': url, 'retry_delay': '10ms', 'retries': 1}}])
        d = one(r, 'failed')
    assert url in d['reason']


# ---- send ----------------------------------------------------------------------------------

def test_send_to_another_partner(plant):
    """A document goes on to the next partner; both know of each other."""
    with Server('O0013NEXT', 'PW') as server:
        server.start()
        nxt = Relation(plant, server=server)
        r = Relation(plant, steps=[{'send': {
            'partner': nxt.name, 'name': 'FW-{{document.name}}',
            'description': 'from {{document.from}}'}}])
        d = one(r, data=b'pass it on' * 1000)
        got = server.next_file()
        assert got.data == b'pass it on' * 1000
        assert (got.sfid.dsn, got.sfid.desc) == ('FW-ORDERS', f'from {r.code}')
        assert (got.sfid.orig, got.sfid.dest) == (OWN, 'O0013NEXT')
        onward = nxt.wait_document('acknowledged')
    assert onward['properties']['source_document'] == str(d['id'])
    assert f'document {onward["id"]}' in [e['text'] for e in d['events']
                                          if e['kind'] == 'send'][0]


TRUE, FALSE = ({'exec': {'command': [f'/bin/{x}']}} for x in ('true', 'false'))


def failed_behind(nxt, r, sends):
    """A document whose sends were made, and that failed in the step behind them."""
    d = one(r, 'failed')
    assert len(nxt.documents()) == len(sends)
    # From here on the steps that are run again are the sends, wherever they stand now.
    scene.apply(r.gateway, r.process_component(steps=[TRUE] * len(sends) + sends + [TRUE]))
    return d


def test_steps_that_send_send_once_though_the_process_was_edited_in_between(plant):
    """Two that are the same are two; where they stand in the text does not matter."""
    nxt = Relation(plant)
    send = {'send': {'partner': nxt.name, 'name': 'FW'}}
    other = {'send': {'partner': nxt.name, 'name': 'OTHER'}}
    r = Relation(plant, steps=[send, send, other, FALSE])
    d = failed_behind(nxt, r, [send, send, other])
    scene.post(plant, f'/api/v1/documents/{d["id"]}/retry')
    again = r.wait_document('processed')
    assert scene.events(again).count('send') == 6
    assert sorted(x['name'] for x in nxt.documents()) == ['FW', 'FW', 'OTHER']
    scene.post(plant, f'/api/v1/documents/{d["id"]}/reprocess')     # asked for: all are sent
    waybill.wait_until(lambda: len(nxt.documents()) == 6, 20, 'all to be sent again')


def test_what_a_former_version_has_sent_is_not_sent_again(gateway):
    """Its keys held line and column of the step."""
    g = gateway()
    nxt = Relation(g)
    send = {'send': {'partner': nxt.name, 'name': 'FW'}}
    r = Relation(g, steps=[send, FALSE])
    d = failed_behind(nxt, r, [send])
    g.stop()
    with contextlib.closing(sqlite3.connect(g.data / 'waybill.db')) as db, db:
        (key, sent, forget), = db.execute("SELECT * FROM seen WHERE key LIKE 'send|%|step|%'")
        db.execute('DELETE FROM seen WHERE key = ?', [key])
        db.executemany('INSERT INTO seen VALUES (?, ?, ?)', [
            (f'send|{nxt.name}|step|{d["id"]}|{line}:{column}', sent, forget)
            for line in range(1, 80) for column in range(1, 80)])
    g.start()
    scene.post(g, f'/api/v1/documents/{d["id"]}/retry')
    r.wait_document('processed')
    assert len(nxt.documents()) == 1


def test_send_as_records(plant):
    with Server('O0013RECORDS', 'PW') as server:
        server.start()
        nxt = Relation(plant, server=server)
        r = Relation(plant, steps=[{'send': {'partner': nxt.name, 'format': 'V',
                                             'record_length': 80}}])
        one(r, data=b'one\ntwo\n\nfour\n')
        assert server.next_file().records == [b'one', b'two', b'', b'four']
        d = one(r, 'failed', data=b'x' * 81 + b'\n', desc='too long')
        assert '80' in d['reason']


# ---- archive and tracked fields ------------------------------------------------------------

NAME = re.compile(r'\d{8}T\d{6}\.\d{3}Z-\d{4}-%s_\d+\.dat\Z')


def test_archive(plant, tmp_path):
    """design.md section 7: named by date and time, document index, operation name, unique number."""
    folder = tmp_path / 'archive'
    r = Relation(plant, operation={'archiving': {'enabled': True, 'directory': folder},
                                   'record_delimiter': 'lf'})
    one(r, data=b'A' * 20, fmt='F', lrecl=10)
    one(r, data=b'B' * 300_000, desc='second')
    r.wait_document('processed', count=2)
    found = plant.wait_files(folder, 2)
    for p in found:
        assert re.match(NAME.pattern % re.escape(r.listener), p.name), p.name
    assert sorted(p.read_bytes() for p in found) == [b'AAAAAAAAAA\n' * 2, b'B' * 300_000]


def test_archive_of_the_wire_form_too(plant, tmp_path):
    r = Relation(plant, operation={'archiving': {'directory': tmp_path, 'raw': True}})
    one(r, data=b'x' * 10)

    def all_there():
        names = [p.name for p in tmp_path.iterdir() if not p.name.startswith('.')]
        return names if len({n.rsplit('.', 1)[1] for n in names}) >= 3 else None
    names = waybill.wait_until(all_there, 20, 'opened form, wire form and receipt')
    assert {n.rsplit('.', 1)[1] for n in names} >= {'dat', 'raw'}


def test_archive_that_cannot_be_written(plant, tmp_path):
    """Nothing is processed that was to be archived and is not."""
    (tmp_path / 'in-the-way').write_text('a file')
    r = Relation(plant, operation={'archiving': {'directory': tmp_path / 'in-the-way'}})
    d = one(r, 'failed')
    assert 'in-the-way' in d['reason'] and not list(r.inbox.iterdir())
    (tmp_path / 'in-the-way').unlink()
    retry(plant, d)
    assert len(r.delivered()) == 1
    assert (tmp_path / 'in-the-way').is_dir()


def test_tracked_fields(plant):
    """Labels of their own; different operations fill the same one; documents are found by them."""
    def tracking(*pairs):
        return {'tracking': [{'field': f, 'value': v} for f, v in pairs]}

    a = Relation(plant, operation=tracking(('Order file', '{{oftp2.sfiddsn}}'),
                                           ('Who', '{{document.from}} by {{oftp2.sfiduser}}')))
    b = Relation(plant, operation=tracking(('Order file', 'B/{{oftp2.sfiddsn}}')))
    one(a, dsn='TRACKED-1', user='ANNA')
    one(a, dsn='TRACKED-2', user='BERT')
    a.wait_document('processed', count=2)
    one(b, dsn='TRACKED-1')

    def search(**filters):
        found = plant.get(query('/api/v1/documents', **filters))['documents']
        return sorted((d['partner'], d['name']) for d in found)

    assert search(label='Order file', value='TRACKED-1') == [(a.name, 'TRACKED-1')]
    assert search(label='Order file', value='B/TRACKED-1') == [(b.name, 'TRACKED-1')]
    assert search(label='Who', value=f'{a.code} by BERT') == [(a.name, 'TRACKED-2')]
    assert search(label='Order file', value='nothing like it') == []
    assert search(label='Who', value='TRACKED-1') == []
    d = document(plant, a.documents(name='TRACKED-1')[0]['id'])
    assert {(t['label'], t['value']) for t in d['tracked']} == {
        ('Order file', 'TRACKED-1'), ('Who', f'{a.code} by ANNA')}
    found = plant.cli('documents', '--label', 'Order file', '--value', 'TRACKED-2')
    assert [x['name'] for x in found['documents']] == ['TRACKED-2']


def test_without_steps_the_store_is_the_place(plant):
    r = Relation(plant, listen=False)
    scene.apply(plant, scene.process(r.listener, r.name))
    with r.call() as me:
        assert me.send_file(File(b'kept', dsn='KEPT')).taken
        me.run()
    d = r.wait_document('processed')
    assert plant.request('GET', f'/api/v1/documents/{d["id"]}/opened') == (200, b'kept')


def test_interrupted_runs_are_marked_as_redelivered(gateway, tmp_path):
    """A crash between delivery and its record may run a process twice; the second time says so."""
    g = gateway()
    r = Relation(g, steps=[shell(f'echo $WAYBILL_EXECUTION_REDELIVERED >>{tmp_path}/runs; '
                                 f'test -e {tmp_path}/go || sleep 60')])
    with r.call() as me:
        assert me.send_file(File(b'x', dsn='TWICE')).taken
        waybill.wait_until(lambda: (tmp_path / 'runs').exists() and
                           (tmp_path / 'runs').read_text().endswith('\n'), 20, 'the first run')
        g.kill9()
    (tmp_path / 'go').touch()
    g.start()
    d = r.wait_document('processed')
    assert (tmp_path / 'runs').read_text().split() == ['false', 'true']
    assert d['redelivered'] and d['executions'][-1]['redelivered']
    with r.call() as me:
        me.run()
        assert [x.name for x in me.responses] == ['EERP']



def test_what_may_have_been_done_before_it_failed_is_marked(plant, tmp_path):
    """A program that was stopped has not said that it did nothing, nor has a server without an answer;
    one that says that it failed has. The mark stays until the document is done with."""
    r = Relation(plant, steps=[shell(
        f'echo $WAYBILL_EXECUTION_REDELIVERED >> {tmp_path}/runs; '
        f'case $(wc -l < {tmp_path}/runs) in 1|3) exit 1;; 2) kill -9 $$;; esac')])
    d = one(r, 'failed')
    for state in 'failed', 'failed', 'processed':
        runs = len(d['executions'])
        post(plant, f'/api/v1/documents/{d["id"]}/retry')
        d = waybill.wait_until(lambda: (lambda x: x if len(x['executions']) > runs and
                                        x['state'] == state and not x['jobs'] else None)(
                                            scene.document(plant, d['id'])), 30)
    assert (tmp_path / 'runs').read_text().split() == ['false', 'false', 'true', 'true']
    assert [x['redelivered'] for x in d['executions']] == [False, False, True, True]


def test_a_request_without_an_answer_that_failed_is_marked_when_it_is_made_again(plant):
    with Web(None, 200) as web:
        r = Relation(plant, steps=[{'http': {'url': web.url, 'retries': 0}}])
        d = one(r, 'failed', data=b'octets that were sent')
        retry(plant, d)
    assert [h['X-Waybill-Redelivered'] for _, _, h, _ in web.requests] == ['false', 'true']
