"""Runs the program crowd (crowd.c), thousands of clients on one thread, against a gateway, and reads
what a gateway uses."""

import json
import os
import pathlib
import re
import resource
import shutil
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SOURCES = ['crowd.c', 'crowd_oftp2.c', 'crowd_as2.c']
FLAGS = ['-std=c17', '-O2', '-D_GNU_SOURCE', '-Wall', '-Wextra', '-Wshadow', '-Werror']


def build(directory):
    """Compiles it; the path of the program."""
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    out = directory / 'crowd'
    subprocess.run([os.environ.get('CC', 'cc'), *FLAGS, '-o', str(out),
                    *(str(HERE / s) for s in SOURCES), '-lssl', '-lcrypto'], check=True)
    return out


def descriptors(wanted):
    """Raises the limit of open files, which children inherit. What it is now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
            return wanted
        except (ValueError, OSError):
            pass
    most = wanted if hard == resource.RLIM_INFINITY else max(soft, min(hard, wanted))
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return most


class Crowd:
    """One run of the program. open() waits until all connections are open and gives the figures so
    far; end() those of the whole run."""

    def __init__(self, program, **settings):
        args = [f'{k}={int(v) if isinstance(v, bool) else v}' for k, v in settings.items()]
        self.process = subprocess.Popen([str(program), *args], stdout=subprocess.PIPE, text=True)
        self.opened = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait()
        self.process.stdout.close()

    def _line(self):
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f'crowd ended with {self.process.wait()}')
        return json.loads(line)

    def open(self):
        self.opened = self._line()
        return self.opened

    def end(self, now=False):
        """now: ends it before its time."""
        if now:
            self.process.terminate()
        found = self.opened or {}
        while found.get('event') != 'end':
            found = self._line()
        self.process.wait()
        return found


def run(program, **settings):
    """A whole run."""
    with Crowd(program, **settings) as c:
        return c.end()


def usage(pid):
    """What a process uses now."""
    proc = pathlib.Path(f'/proc/{pid}')
    kb = dict(re.findall(r'^(\w+):\s+(\d+) kB', (proc / 'smaps_rollup').read_text(), re.M))
    status = dict(re.findall(r'^(\w+):\s+(.*)$', (proc / 'status').read_text(), re.M))
    cpu = (proc / 'stat').read_text().rsplit(')', 1)[1].split()
    with open(proc / 'maps') as f:
        maps = sum(1 for _ in f)
    return {'rss_kb': int(kb['Rss']), 'own_kb': int(kb['Anonymous']),
            'page_tables_kb': int(status['VmPTE'].split()[0]),
            'fds': len(os.listdir(proc / 'fd')), 'threads': int(status['Threads']), 'maps': maps,
            'cpu_s': (int(cpu[11]) + int(cpu[12])) / os.sysconf('SC_CLK_TCK')}


def busy(pid, seconds):
    """Processor seconds a process uses in a second."""
    before = usage(pid)['cpu_s']
    time.sleep(seconds)
    return (usage(pid)['cpu_s'] - before) / seconds


def kernel_kb():
    """Memory the kernel holds for sockets and thread stacks of all processes."""
    text = pathlib.Path('/proc/meminfo').read_text()
    return sum(int(re.search(rf'^{k}:\s+(\d+)', text, re.M).group(1))
               for k in ('KernelStack', 'Slab', 'PageTables'))


def clean(directory):
    shutil.rmtree(directory, ignore_errors=True)
