"""AS2 processes, partners and identities applied, refused, listed, paused, deleted."""

import itertools
import pathlib
import re

import pytest

import waybill

_numbers = itertools.count(1)

PLANT = {'settings': {'as2_server': {'endpoints': [{'host': '127.0.0.1', 'port': 0}],
                                     'domain': 'us.example'}}}


def process(name, sender, receiver, **operation):
    """A process of the AS2 server; sender and receiver: settings of from and to."""
    return {'process': name,
            'start': {'listen': 'as2-server',
                      'operation': {'from': sender, 'to': receiver, **operation}}}


def listener(plant, name):
    found, = [entry for entry in plant.cli('listeners')['listeners'] if entry['name'] == name]
    return found


def refused(plant, tmp_path, text):
    """The lines of `waybill apply` for a file that is refused; the file is called f."""
    path = tmp_path / 'f.yaml'
    path.write_text(text)
    result = plant.cli('apply', '-f', path, check=None, json_output=False)
    assert result.returncode == 1, result.stdout
    return result.stderr.replace(str(path), 'f')


@pytest.fixture
def name():
    return f'p{next(_numbers)}'


@pytest.fixture(scope='module')
def keys(tmp_path_factory):
    return waybill.Authority(tmp_path_factory.mktemp('ca')).issue('keys')


def test_a_process_is_deployed_and_listed(plant, name):
    plant.apply([{'identity': 'us', 'as2': {'as2_id': 'US'}},
                 {'partner': name, 'as2': {'as2_id': f'ACME-{name}'}},
                 process(name, {'partner': name}, {'identity': 'us'})])
    entry = listener(plant, name)
    assert entry['server'] == 'as2-server' and entry['state'] == 'listening'
    assert (entry['from'], entry['to']) == (f'ACME-{name}', 'US')
    assert (entry['from_name'], entry['to_name']) == (name, 'us')
    shown = plant.cli('listeners', json_output=False)
    line, = [line for line in shown.splitlines() if line.startswith(name + ' ')]
    assert 'as2-server' in line and 'listening' in line
    assert plant.wait_log(f'listener.listening listener={name} from=ACME-{name} to=US')


def test_blanks_in_an_as2_id_are_refused_unless_allowed(plant, name, tmp_path):
    """AS2-C5: configuration refuses an ID with blanks unless allow_blanks is set."""
    text = f'partner: {name}\nas2:\n  as2_id: AC ME {name}\n'
    said = refused(plant, tmp_path, text)
    assert "f:3:11: 'as2_id' has a blank in it" in said and 'allow_blanks: true' in said
    plant.apply(text + '  allow_blanks: true\n')
    for bad in f'" {name}"', f'"{name} "':
        said = refused(plant, tmp_path,
                       f'partner: {name}\nas2:\n  as2_id: {bad}\n  allow_blanks: true\n')
        assert "f:3:11: 'as2_id' must not begin or end with a blank" in said


def test_case_of_an_as2_id_counts(plant, name):
    """AS2-C6: two that differ in case only are two."""
    plant.apply([process(name, {'as2_id': f'Case-{name}'}, {'as2_id': 'US'}),
                 process(name + 'b', {'as2_id': f'CASE-{name}'}, {'as2_id': 'US'})])
    assert listener(plant, name)['state'] == listener(plant, name + 'b')['state'] == 'listening'


def test_the_later_of_two_with_one_pair_is_errored(plant, name):
    first, second = name + '-first', name + '-second'
    pair = {'as2_id': name}, {'as2_id': 'US'}
    plant.apply(process(first, *pair))
    plant.apply(process(second, *pair))
    assert listener(plant, first)['state'] == 'listening'
    entry = listener(plant, second)
    assert entry['state'] == 'errored'
    assert f"listener '{first}' was deployed earlier" in entry['reason']
    # changed, the first one is still the first
    plant.apply(process(first, *pair, acknowledge='none'))
    assert listener(plant, first)['state'] == 'listening'
    assert listener(plant, second)['state'] == 'errored'
    plant.cli('delete', 'process', first)
    plant.cli('listeners', 'restart', second)
    assert listener(plant, second)['state'] == 'listening'
    # with another receiver it is another listener
    plant.apply(process(first, pair[0], {'as2_id': 'US2'}))
    assert listener(plant, first)['state'] == 'listening'


def test_an_oftp2_listener_of_the_same_names_is_no_collision(plant, name):
    code = name.upper()
    plant.apply([process(name, {'as2_id': code}, {'as2_id': 'US'}),
                 {'process': name + '-oftp2',
                  'start': {'listen': 'oftp2-server',
                            'operation': {'from': {'odette_id': code, 'password': 'PW'},
                                          'to': {'odette_id': 'US'}}}}])
    assert listener(plant, name)['state'] == 'listening'
    assert listener(plant, name + '-oftp2')['state'] == 'listening'


def test_paused_and_resumed(plant, name):
    plant.apply(process(name, {'as2_id': name}, {'as2_id': 'US'}))
    for what, state in ('pause', 'paused'), ('resume', 'listening'):
        plant.cli('listeners', what, name)
        assert listener(plant, name)['state'] == state


@pytest.mark.parametrize('operation, said', [
    ({'cipher_suites': ['AES_RSA_SHA256']},
     "'cipher_suites' is a setting of OFTP2, and this is a place for those of AS2"),
    ({'reject_duplicates': {'number': 99}}, "'number' is 99, which is out of range; it must be "
                                            '100 to 1000000'),
    ({'require': {'signed': True}}, 'require: {signed: true} needs signing_certificate'),
    ({'mdn_delivery': 'configured'}, "mdn_delivery: configured needs 'mdn_url'"),
    ({'mdn_delivry': 'configured'}, "unknown setting 'mdn_delivry'; did you mean 'mdn_delivery'?"),
])
def test_bad_operations_are_refused_with_their_place(plant, name, tmp_path, operation, said):
    text = waybill.components_text(process(name, {'as2_id': name}, {'as2_id': 'US'}, **operation))
    lines = refused(plant, tmp_path, text)
    assert re.search(r'^f:\d+:\d+: ', lines, re.M) and said in lines
    assert name not in [entry['name'] for entry in plant.cli('listeners')['listeners']]


def test_an_as2_setting_under_oftp2_is_refused(plant, name, tmp_path):
    said = refused(plant, tmp_path, f'partner: {name}\noftp2:\n  odette_id: X\n  mdn_url: http://h\n')
    assert "f:4:3: 'mdn_url' is a setting of AS2, and this is a place for those of OFTP2" in said


def test_encryption_without_signature_is_warned_about(plant, name, keys):
    """as2.md 11.1, number 13: to who applies it, and in the log; it is no error."""
    ours = keys.component(f'{name}-ours')
    wanted = process(name, {'as2_id': name},
                     {'as2_id': 'US', 'decryption_certificate': f'{name}-ours'},
                     require={'encrypted': True})
    answer = plant.apply([ours, wanted])
    certificate, applied = answer['applied']
    assert 'warnings' not in certificate
    assert 'encrypted and not signed' in applied['warnings'][0]
    assert listener(plant, name)['state'] == 'listening'
    assert plant.wait_log(f'component.warning process={name} .*encrypted and not signed')
    path = plant.directory / f'{name}.yaml'
    path.write_text(waybill.components_text(wanted))
    result = plant.cli('apply', '-f', path, check=None, json_output=False)
    assert f'warning: process {name}: messages that are encrypted' in result.stderr


def test_a_certificate_of_as2_is_not_deleted_while_it_is_needed(plant, name, keys):
    plant.apply([keys.component(f'{name}-c'),
                 {'partner': name, 'as2': {'as2_id': name, 'signing_certificate': f'{name}-c'}}])
    result = plant.cli('delete', 'certificate', f'{name}-c', check=None, json_output=False)
    assert result.returncode == 1
    assert f'partner {name}' in result.stderr and 'signing_certificate' in result.stderr
    plant.cli('delete', 'partner', name)
    plant.cli('delete', 'certificate', f'{name}-c')


def test_a_listener_with_an_unusable_certificate_is_errored(plant, name, keys):
    broken = plant.directory / f'{name}.pem'
    broken.write_text('nothing\n')
    plant.apply([{'certificate': f'{name}-c', 'file': str(broken)},
                 process(name, {'as2_id': name, 'signing_certificate': f'{name}-c'},
                         {'as2_id': 'US'})])
    entry = listener(plant, name)
    assert entry['state'] == 'errored'
    assert f"signing_certificate: certificate '{name}-c': " in entry['reason']
    broken.write_text(keys.pem())
    plant.cli('listeners', 'restart', name)
    assert listener(plant, name)['state'] == 'listening'


def test_a_missing_secret_is_named(plant, name):
    plant.apply(process(name, {'as2_id': name, 'username': 'u', 'password': {'secret': 'nope'}},
                        {'as2_id': 'US'}))
    entry = listener(plant, name)
    assert entry['state'] == 'errored' and "secret 'nope'" in entry['reason']


def test_check_and_dump_know_as2(plant, name, tmp_path):
    dump = waybill.run('dump', '--config', plant.config_file).stdout
    assert re.search(r'^as2_server:$', dump, re.M)
    assert re.search(r'^  domain: "us.example"$', dump, re.M)
    assert re.search(r'^  max_posts_per_partner: 4$', dump, re.M)
    components = tmp_path / 'c.yaml'
    components.write_text(waybill.components_text([
        {'identity': 'us', 'as2': {'as2_id': 'US'}},
        {'partner': 'a', 'as2': {'as2_id': 'A', 'ip_filter': []}},
        process('p', {'partner': 'a'}, {'identity': 'us'})]))
    result = waybill.run('check', '--config', plant.config_file, components)
    assert 'ok: settings and 3 components' in result.stdout
    assert re.search(r'^warning: .*c\.yaml:\d+:\d+: partner a: ip_filter is an empty list',
                     result.stderr, re.M)


def test_the_example_is_right(plant):
    example = pathlib.Path(__file__).parents[2] / 'examples' / 'as2.yaml'
    result = waybill.run('check', '--config', plant.config_file, example)
    assert 'ok: settings and 6 components' in result.stdout and 'warning' not in result.stderr
