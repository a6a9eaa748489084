"""The Debian package: built of the program under test, unpacked, and run from there."""

import pathlib
import re
import shutil
import subprocess

import pytest
import waybill

BUILD = pathlib.Path(waybill.binary()).resolve().parent
pytestmark = [
    pytest.mark.skipif(not shutil.which('dpkg-deb') or not shutil.which('dpkg-shlibdeps'),
                       reason='this is not Debian, or dpkg-dev is not installed'),
    pytest.mark.skipif(waybill.slow() > 1, reason='a sanitizer build is not packaged')]


def command(*args, **options):
    result = subprocess.run([str(a) for a in args], capture_output=True, text=True, **options)
    assert result.returncode == 0, f'{args}\n{result.stdout}{result.stderr}'
    return result.stdout


@pytest.fixture(scope='module')
def package(tmp_path_factory):
    out = tmp_path_factory.mktemp('deb')
    command(waybill.ROOT / 'scripts' / 'make-deb.sh', BUILD, out)
    deb, = out.glob('waybill_*.deb')
    command('dpkg-deb', '-x', deb, out / 'root')
    command('dpkg-deb', '-e', deb, out / 'control')
    return deb, out / 'root', out / 'control'


def test_the_unpacked_program_runs_and_has_its_libraries_named(package):
    deb, root, control = package
    version = command(root / 'usr/bin/waybill', 'version')
    fields = (control / 'control').read_text()
    assert f'Version: {version.split()[1]}\n' in fields and deb.name.count(version.split()[1])
    for library in ('libc6', 'libssl3', 'libsqlite3-0', 'libcurl', 'libyaml', 'libjansson', 'libseccomp2'):
        assert re.search(rf'^Depends:.*\b{library}', fields, re.M), library


def test_the_packaged_settings_and_examples_are_right(package):
    _, root, control = package
    settings = root / 'etc/waybill/waybill.yaml'
    assert 'data_directory: /var/lib/waybill' in settings.read_text()
    command(root / 'usr/bin/waybill', 'check', '--config', settings)
    assert (control / 'conffiles').read_text() == '/etc/waybill/waybill.yaml\n'
    for text in (root / 'usr/share/doc/waybill/examples').glob('*.yaml'):
        assert '/tmp/' not in text.read_text() and str(waybill.ROOT) not in text.read_text()


def test_nothing_in_the_package_is_writable_by_others_or_of_another_than_root(package):
    for line in command('dpkg-deb', '-c', package[0]).splitlines():
        assert re.match(r'[-d]rw[-x]r-[-x]r-[-x] root/root ', line), line


def test_the_maintainer_scripts_are_sound(package):
    for script in ('postinst', 'prerm', 'postrm'):
        command('sh', '-n', package[2] / script)


def test_the_unit_is_sound_and_shut_in(package, tmp_path):
    _, root, _ = package
    text = (root / 'lib/systemd/system/waybill.service').read_text()
    for line in ('User=waybill', 'NoNewPrivileges=yes', 'ProtectSystem=strict', 'PrivateTmp=yes',
                 'SystemCallFilter=@system-service', 'StateDirectory=waybill'):
        assert f'\n{line}\n' in text, line
    if not shutil.which('systemd-analyze'):
        pytest.skip('there is no systemd-analyze here')
    unit = tmp_path / 'waybill.service'
    unit.write_text(text.replace('/usr/bin/waybill', str(root / 'usr/bin/waybill')))
    command('systemd-analyze', 'verify', '--man=no', unit)
    said = command('systemd-analyze', 'security', '--offline=true', unit)
    assert float(re.search(r'exposure level .*: ([0-9.]+)', said).group(1)) < 2.5, said[-300:]


def calls_of(sets, name):
    """The system calls of a set of systemd's, with those of the sets in it."""
    return {name} if name[0] != '@' else {c for n in sets[name] for c in calls_of(sets, n)}


@pytest.mark.skipif(not shutil.which('systemd-analyze'), reason='there is no systemd-analyze here')
def test_the_unit_lets_through_no_call_that_the_program_refuses_itself():
    """runtime.sandbox (src/gateway/confine.c) is there where no systemd is: it never has to do what the
    unit leaves open. The calls that it refuses by their arguments have settings of their own there."""
    sets, allowed = {}, set()
    for block in command('systemd-analyze', 'syscall-filter').split('\n\n'):
        name, *lines = [line.strip() for line in block.splitlines() if line.strip()] or ['']
        sets[name] = [line for line in lines if not line.startswith('#')]
    unit = (waybill.ROOT / 'packaging/waybill.service').read_text()
    for line in re.findall(r'^SystemCallFilter=(.*)$', unit, re.M):
        calls = {c for name in line.lstrip('~').split() for c in calls_of(sets, name)}
        allowed = allowed - calls if line[0] == '~' else allowed | calls
    assert len(allowed) > 200 and {'read', 'clone3', 'seccomp'} <= allowed
    source = (waybill.ROOT / 'src/gateway/confine.c').read_text()
    tables = re.findall(r'static const char \*const (?:tracing|refused)\[\] = \{(.*?)\};', source, re.S)
    refused = {name for table in tables for name in re.findall(r'"(\w+)"', table)}
    assert len(tables) == 2 and len(refused) > 60
    assert not refused & allowed
    for line in 'RestrictNamespaces=yes', 'LockPersonality=yes', 'NoNewPrivileges=yes':
        assert f'\n{line}\n' in unit, line


@pytest.mark.skipif(not shutil.which('lintian'), reason='there is no lintian here')
def test_lintian_has_nothing_to_say(package):
    said = subprocess.run(['lintian', '--allow-root', package[0]], capture_output=True, text=True)
    assert said.returncode == 0 and not re.search('^[EW]:', said.stdout, re.M), said.stdout
