"""A folder to begin with, completion, and the manual page: all made by the program itself."""

import os
import re
import shutil
import subprocess

import pytest
import waybill


def complete(*words):
    """What bash offers for the last of these words."""
    script = (f'source <({waybill.binary()} completion bash); COMP_WORDS=({" ".join(map(repr, words))}); '
              f'COMP_CWORD={len(words) - 1}; compopt() {{ echo FILES; }}; _waybill; '
              'printf "%s\\n" "${COMPREPLY[@]}"')
    result = subprocess.run(['bash', '-c', script], capture_output=True, text=True)
    assert result.returncode == 0 and result.stderr == '', result
    return result.stdout.split()


def test_a_runtime_starts_from_what_init_wrote_and_takes_its_components(tmp_path):
    said = waybill.run('init', tmp_path / 'edi', '--name', 'plant-9')
    assert 'waybill serve --config' in said.stdout
    config = tmp_path / 'edi' / 'waybill.yaml'
    assert oct((tmp_path / 'edi/keys/our-key.key').stat().st_mode)[-3:] == '600'
    waybill.run('check', '--config', config, tmp_path / 'edi/components')
    # As it stands, but for ports that other tests may have.
    text = config.read_text()
    assert 'name: plant-9' in text and text.count('#') > 10
    config.write_text(text.replace('3305', '0').replace('127.0.0.1:8090', '127.0.0.1:0'))
    log = open(tmp_path / 'log', 'wb')
    process = subprocess.Popen([waybill.binary(), 'serve', '--config', config], stderr=log)
    try:
        socket = str(tmp_path / 'edi/data/admin.sock')
        waybill.wait_until(lambda: 'serve.ready' in (tmp_path / 'log').read_text(), 60, 'it to be ready')
        assert os.path.exists(socket)
        waybill.run('--config', config, 'apply', '-f', tmp_path / 'edi/components')
        listeners = waybill.run('--config', config, 'listeners').stdout
        assert 'from-acme' in listeners and 'listening' in listeners, listeners
    finally:
        process.terminate()
        assert process.wait(waybill.patient(40)) == 0


def test_the_two_of_a_trial_exchange_documents_by_both_protocols(tmp_path):
    said = waybill.run('init', '--trial', tmp_path / 'try').stdout
    assert 'users add me --role admin' in said and '127.0.0.1:18090' in said, said
    assert said.index('waybill serve') < said.index('sleep') < said.index('apply -f'), said
    sides, processes = ('plant-7', 'acme'), []

    def command(side, *args):
        return waybill.run('--config', tmp_path / 'try' / side / 'waybill.yaml', *args).stdout

    def mend(path, *pairs):
        text = path.read_text()
        for old, new in pairs:
            assert old in text, (path, old)
            text = text.replace(old, new)
        path.write_text(text)
    try:
        for side, *ports in (sides[0], '3305', '8080', '8090'), (sides[1], '13305', '18080', '18090'):
            top = tmp_path / 'try' / side
            mend(top / 'waybill.yaml', *((f'port: {p}}}', 'port: 0}') for p in ports[:2]),
                 (f'listen: "127.0.0.1:{ports[2]}"', 'listen: ""'))
            with open(top / 'log', 'wb') as log:
                processes.append(subprocess.Popen(
                    [waybill.binary(), 'serve', '--config', top / 'waybill.yaml'], stderr=log))
        for side in sides:
            waybill.wait_until(lambda: 'serve.ready' in (tmp_path / 'try' / side / 'log').read_text(),
                               60, f'{side} to be ready')
        for side, peer, oftp2, as2 in ('plant-7', 'acme', '13305', '18080'), (
                'acme', 'plant-7', '3305', '8080'):
            found = dict(re.findall(r'(oftp2|as2)\.endpoint .*?port=(\d+)',
                                    (tmp_path / 'try' / peer / 'log').read_text()))
            mend(tmp_path / 'try' / side / 'components/all.yaml',
                 (f'port: {oftp2}\n', f'port: {found["oftp2"]}\n'),
                 (f':{as2}/as2', f':{found["as2"]}/as2'))
            command(side, 'apply', '-f', tmp_path / 'try' / side / 'components')
        (tmp_path / 'order.edi').write_text("UNB+UNOC:3'")
        for side, peer in sides, reversed(sides):
            command(side, 'test', peer)
            for protocol in 'oftp2', 'as2':
                out = command(side, 'send', '--partner', peer, '--protocol', protocol, '--wait',
                              tmp_path / 'order.edi')
                assert 'acknowledged' in out, out
            assert len(list((tmp_path / 'try' / peer / 'in').iterdir())) == 2
    finally:
        for p in processes:
            p.terminate()
        assert [p.wait(waybill.patient(40)) for p in processes] == [0, 0]


def test_every_commented_setting_can_be_switched_on(tmp_path):
    """What stands behind a # in the file is right, too."""
    waybill.run('init', tmp_path / 'edi')
    for name in ('waybill.yaml', 'components/acme.yaml'):
        path, lines = tmp_path / 'edi' / name, []
        for line in path.read_text().splitlines():
            setting = re.match(r' *# +(- \{|- [a-z]+:|[a-z0-9_]+:( |$))', line)
            lines.append(line.replace('# ', '', 1) if setting else line)
        path.write_text('\n'.join(lines) + '\n')
    more = tmp_path / 'edi/components/their-key.yaml'
    more.write_text(f'certificate: acme-key\nfile: {tmp_path}/edi/keys/our-key.pem\n')
    waybill.run('check', '--config', tmp_path / 'edi/waybill.yaml', tmp_path / 'edi/components')


def test_init_writes_over_nothing(tmp_path):
    (tmp_path / 'waybill.yaml').write_text('mine')
    result = waybill.run('init', tmp_path, check=1)
    assert 'left as it is' in result.stderr
    assert (tmp_path / 'waybill.yaml').read_text() == 'mine'
    assert os.listdir(tmp_path) == ['waybill.yaml']
    assert 'absolute' in waybill.run('init', tmp_path / 'a b', check=1).stderr


@pytest.mark.parametrize('option', [['--no-keys'], ['--name', 'x'], ['--data', '/srv/x']])
def test_a_trial_takes_no_option_that_it_would_not_follow(tmp_path, option):
    """Its two runtimes sign and encrypt: without keys nothing of it would work."""
    result = waybill.run('init', '--trial', *option, tmp_path / 'try', check=2)
    assert f'leave out {option[0]}' in result.stderr
    assert not (tmp_path / 'try').exists()


def test_init_without_keys_for_a_package(tmp_path):
    waybill.run('init', tmp_path / 'etc', '--data', '/var/lib/waybill', '--no-keys')
    assert not (tmp_path / 'etc/keys').exists()
    assert 'data_directory: /var/lib/waybill' in (tmp_path / 'etc/waybill.yaml').read_text()


def test_bash_completes_commands_options_and_words():
    assert complete('waybill', 'li') == ['listeners']
    assert {'send', 'serve', 'sessions', 'settings', 'show', 'stop'} >= set(complete('waybill', 's')) >= {'send'}
    assert complete('waybill', 'listeners', 'pa') == ['pause']
    assert '--partner' in complete('waybill', 'send', '--')
    assert complete('waybill', '--config', 'x.yaml', 'down') == ['download']
    assert complete('waybill', 'completion', '') [:2] == ['bash', 'zsh']
    assert 'FILES' in complete('waybill', 'check', 'some/fi')
    assert 'FILES' in complete('waybill', 'apply', '-f', '')
    assert 'misused' not in waybill.run('completion', 'fish', check=2).stdout


@pytest.mark.skipif(not shutil.which('zsh'), reason='there is no zsh here')
def test_zsh_takes_its_completion():
    text = waybill.run('completion', 'zsh').stdout
    subprocess.run(['zsh', '-n'], input=text, text=True, check=True)


def test_the_manual_page_has_every_command_and_is_sound_roff():
    page = waybill.run('help', '--man').stdout
    commands = [line.split()[0] for line in waybill.run('help').stdout.splitlines()[2:-2]]
    for command in filter(None, commands):
        assert f'.SS {command}\n' in page, command
    if shutil.which('groff'):
        said = subprocess.run(['groff', '-man', '-ww', '-z', '-Tutf8'], input=page, text=True,
                              capture_output=True)
        assert said.stderr == ''
