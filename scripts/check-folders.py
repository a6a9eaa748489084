#!/usr/bin/env python3
"""Asserts the folder rule (docs/architecture.md): each folder of src/ includes only itself and
the folders above it, only the gateway joins the engines with store and net, and the engines touch
no file, socket, clock or random source, neither in their text nor in what their libraries call.

    scripts/check-folders.py [--root DIR] [--build-dir DIR]
    scripts/check-folders.py --self-test
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ORDER = ['base', 'cms', 'mime', 'oftp', 'as2', 'pki', 'config', 'store', 'net', 'gateway', 'api',
         'cli']
PURE = {'base', 'cms', 'mime', 'oftp', 'as2'}
ENGINES = PURE - {'base'}
# What the order alone would allow, and the rule does not.
NOT_JOINED = {
    'pki': ENGINES, 'config': ENGINES, 'store': ENGINES, 'net': ENGINES | {'store'},
    'cms': set(), 'mime': {'cms'}, 'oftp': {'cms', 'mime'}, 'as2': {'oftp'},
}

FORBIDDEN_HEADERS = re.compile(
    r'(unistd|time|fcntl|dirent|netdb|poll|signal|syslog|pthread|threads|termios|ftw|glob|'
    r'spawn|sqlite3|jansson|yaml|http_parser|openssl/rand|arpa/inet|net/if|'
    r'(sys|netinet|netinet6|linux|curl)/.*)\.h\Z')
ALLOWED_HEADERS = {'sys/types.h'}

FORBIDDEN_CALLS = set('''
    open open64 openat openat64 creat creat64 close read write pread pwrite pread64 pwrite64 readv
    writev preadv pwritev lseek lseek64 fsync fdatasync sync ftruncate ftruncate64 truncate
    fallocate posix_fallocate sendfile copy_file_range splice dup dup2 dup3 pipe pipe2 fcntl
    fcntl64 ioctl flock stat stat64 fstat fstat64 lstat lstat64 fstatat statx access faccessat
    unlink unlinkat rename renameat renameat2 link symlink readlink mkdir mkdirat rmdir chmod
    fchmod chown opendir readdir readdir64 closedir mkstemp mkstemp64 mkdtemp tmpfile tmpfile64
    fopen fopen64 fdopen freopen fclose fread fwrite fflush fseek fseeko ftell ftello fgets fgetc
    getc getchar fputs fputc putc putchar puts printf fprintf vprintf vfprintf dprintf vdprintf
    scanf fscanf perror getline getdelim popen pclose remove fileno setvbuf
    stdin stdout stderr
    socket socketpair connect bind listen accept accept4 send sendto sendmsg recv recvfrom recvmsg
    shutdown setsockopt getsockopt getsockname getpeername getaddrinfo gethostbyname poll ppoll
    select pselect epoll_create epoll_create1 epoll_ctl epoll_wait eventfd
    time clock clock_gettime gettimeofday clock_nanosleep nanosleep sleep usleep timer_create
    localtime localtime_r mktime tzset ftime times
    getrandom getentropy rand rand_r srand random srandom initstate drand48 lrand48 mrand48 erand48
    arc4random arc4random_buf arc4random_uniform RAND_bytes RAND_priv_bytes RAND_bytes_ex
    RAND_priv_bytes_ex RAND_poll
    system fork vfork execve execv execvp execl execlp posix_spawn posix_spawnp waitpid kill signal
    sigaction syslog openlog pthread_create thrd_create
    getenv setenv mmap mmap64 syscall
'''.split())
# Names too common for our own functions' locals to be looked for in the text; nm still sees them.
ONLY_IN_LIBRARIES = {'stat', 'time', 'sync', 'link', 'access', 'random', 'remove', 'signal',
                     'stdin', 'stdout', 'stderr', 'select', 'clock', 'times', 'pipe'}
FORTIFIED = re.compile(r'__(\w+)_chk\Z')
C99 = re.compile(r'__isoc99_(\w+)\Z')

COMMENT_OR_STRING = re.compile(
    r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)


def without_comments(text, strings):
    """text with comments, and strings too when asked, blanked; lines stay where they are."""
    def blank(m):
        if m.group()[0] in '"\'' and not strings:
            return m.group()
        return re.sub(r'[^\n]', ' ', m.group())
    return COMMENT_OR_STRING.sub(blank, text)


def line_of(text, at):
    return text.count('\n', 0, at) + 1


def check_file(src, path, problems):
    relative = path.relative_to(src)
    folder = relative.parts[0]
    text = path.read_text(errors='replace')
    shown = f'src/{relative}'

    def report(at, what):
        problems.append(f'{shown}:{line_of(text, at)}: {what}')

    code = without_comments(text, strings=False)
    for m in INCLUDE.finditer(code):
        kind, name = m.groups()
        if kind == '<':
            if folder in PURE and name not in ALLOWED_HEADERS and FORBIDDEN_HEADERS.match(name):
                report(m.start(), f'{folder} does no I/O and reads no clock: <{name}>')
            continue
        if '..' in name.split('/'):
            report(m.start(), f'include by folder, not by "{name}"')
            continue
        other = name.split('/')[0] if '/' in name else folder
        if other not in ORDER:
            if not (path.parent / name).exists():
                report(m.start(), f'"{name}" is in no folder of the list')
            continue
        if other != folder:
            if ORDER.index(other) > ORDER.index(folder):
                report(m.start(), f'{folder} is above {other} and must not include "{name}"')
            elif other in NOT_JOINED.get(folder, ()):
                report(m.start(), f'{folder} must not include "{name}": only the gateway joins '
                                  f'the engines, store and net')
            if name.endswith('_int.h'):
                report(m.start(), f'"{name}" is private to {other}')
    if folder in PURE:
        bare = without_comments(text, strings=True)
        for m in re.finditer(r'(?<![\w.])(?<!->)([A-Za-z_]\w*)[ \t]*\(', bare):
            name = m.group(1)
            if name in FORBIDDEN_CALLS - ONLY_IN_LIBRARIES:
                report(m.start(), f'{folder} does no I/O and reads no clock: {name}()')


def check_sources(root):
    """Problems of the text below root/src, and how many files were looked at."""
    src = root / 'src'
    problems, n = [], 0
    for path in sorted(src.rglob('*.[ch]')):
        folder = path.relative_to(src).parts[0]
        if path.parent == src:
            continue       # a main file may join everything
        if folder not in ORDER:
            problems.append(f'src/{folder}: not in the list of folders')
            continue
        n += 1
        check_file(src, path, problems)
    return problems, n


def symbols(archive):
    """(defined, undefined) names of an archive."""
    out = subprocess.run(['nm', '-g', '-P', str(archive)], check=True, capture_output=True,
                         text=True).stdout
    defined, undefined = set(), set()
    for line in out.splitlines():
        parts = line.split()
        if len(parts) >= 2 and len(parts[1]) == 1:
            name = parts[0].split('@')[0]
            (undefined if parts[1] in 'Uwv' else defined).add(name)
    return defined, undefined


def check_libraries(build):
    """Problems of the engines' static libraries below build/src, and how many there were."""
    problems, n = [], 0
    for folder in ORDER:
        if folder not in PURE:
            continue
        for archive in sorted((build / 'src' / folder).glob('lib*.a')):
            n += 1
            defined, undefined = symbols(archive)
            for name in sorted(undefined - defined):
                plain = FORTIFIED.sub(r'\1', C99.sub(r'\1', name))
                if plain in FORBIDDEN_CALLS:
                    problems.append(f'lib{folder}.a: does no I/O and reads no clock, but calls '
                                    f'{name}')
    return problems, n


# ---- self-test -----------------------------------------------------------------------------

GOOD = {
    'base/err.h': '',
    'base/err.c': '#include "base/err.h"\n#include <stdio.h>\n'
                  'int f(char *t) { return snprintf(t, 2, "open(%d)", 1); } /* read() */\n',
    'oftp/oftp.h': '#include "base/err.h"\n',
    'oftp/session_int.h': '',
    'oftp/session.c': '#include "oftp/oftp.h"\n#include "oftp/session_int.h"\n'
                      '#include "session_int.h"\n#include <string.h>\n'
                      'void g(struct s *s) { s->read(s); s.write(1); my_open(2); }\n',
    'store/store.c': '#include "base/err.h"\n#include <unistd.h>\nint h(void) { return close(1); }\n',
    'net/net.h': '',
    'gateway/gateway.c': '#include "oftp/oftp.h"\n#include "net/net.h"\n',
    'main.c': '#include "cli/cli.h"\n',
}
BAD = [
    ('an engine that includes the gateway', {'oftp/x.c': '#include "gateway/gateway.h"\n'},
     'oftp is above gateway'),
    ('base that includes an engine', {'base/x.h': '#include "oftp/oftp.h"\n'},
     'base is above oftp'),
    ('store that includes net', {'store/x.c': ' # include "net/net.h"\n'}, 'store is above net'),
    ('net that includes store', {'net/x.c': '#include "store/store.h"\n'}, 'only the gateway'),
    ('store that includes an engine', {'store/x.c': '#include "oftp/oftp.h"\n'},
     'only the gateway'),
    ('a private header of another folder', {'gateway/x.c': '#include "oftp/session_int.h"\n'},
     'private to oftp'),
    ('an include by path', {'gateway/x.c': '#include "../oftp/oftp.h"\n'}, 'include by folder'),
    ('an engine with sockets', {'oftp/x.c': '#include <sys/socket.h>\n'}, '<sys/socket.h>'),
    ('an engine with a clock', {'as2/x.c': '#include <time.h>\n'}, '<time.h>'),
    ('an engine that reads files', {'mime/x.c': 'void f(void) { fopen ("a", "r"); }\n'},
     'fopen()'),
    ('an engine that prints', {'cms/x.c': '#include <stdio.h>\nvoid f(void)\n{\n    printf("x");\n}\n'},
     'src/cms/x.c:4: cms does no I/O and reads no clock: printf()'),
    ('an engine with random octets', {'oftp/x.c': 'void f(void) { RAND_bytes(0, 0); }\n'},
     'RAND_bytes()'),
    ('a folder nobody knows', {'util/x.c': ''}, 'not in the list'),
]
BAD_OBJECTS = [
    ('the clock by declaration', 'long time(long *); long f(void) { return time(0); }', 'time'),
    ('standard output', '#include <stdio.h>\nvoid *f(void) { return stdout; }', 'stdout'),
    ('a file by pointer', 'int open(const char *, int, ...); void *f(void) { return (void *)open; }',
     'open'),
]


def write_tree(root, files):
    for name, text in files.items():
        path = root / 'src' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def build_library(root, folder, code):
    where = root / 'src' / folder
    where.mkdir(parents=True, exist_ok=True)
    (where / 'x.c').write_text(code)
    subprocess.run(['cc', '-c', '-O0', 'x.c', '-o', 'x.o'], cwd=where, check=True)
    subprocess.run(['ar', 'rcs', f'lib{folder}.a', 'x.o'], cwd=where, check=True)


def self_test():
    failed = 0

    def expect(what, problems, want):
        nonlocal failed
        ok = not problems if want is None else any(want in p for p in problems)
        if not ok:
            failed += 1
            print(f'self-test: {what}: wanted {want or "no problem"}, got {problems}')

    with tempfile.TemporaryDirectory() as d:
        root = pathlib.Path(d)
        for i, (what, files, want) in enumerate([('a good tree', {}, None), *BAD]):
            tree = root / str(i)
            write_tree(tree, {**GOOD, **files})
            expect(what, check_sources(tree)[0], want)
        cases = 1 + len(BAD)
        if shutil.which('cc') and shutil.which('nm'):
            good = '#include <stdio.h>\n#include <string.h>\n#include <stdlib.h>\n' \
                   'int read(int);\nint read(int x) { return x; }\n' \
                   'void *f(char *t) { snprintf(t, 9, "%d", read(1)); return malloc(3); }\n'
            for i, (what, code, want) in enumerate([('a good library', good, None),
                                                    *BAD_OBJECTS]):
                tree = root / f'o{i}'
                build_library(tree, 'oftp', code)
                expect(what, check_libraries(tree)[0], want and f'calls {want}')
            cases += 1 + len(BAD_OBJECTS)
    print(f'check-folders: self-test, {cases} cases, {failed} wrong')
    return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--root', default=pathlib.Path(__file__).resolve().parents[1])
    parser.add_argument('--build-dir', default='build')
    parser.add_argument('--self-test', action='store_true')
    options = parser.parse_args()
    if options.self_test:
        return self_test()
    root = pathlib.Path(options.root)
    problems, files = check_sources(root)
    build = root / options.build_dir
    libraries = 0
    if os.path.isdir(build):
        more, libraries = check_libraries(build)
        problems += more
    for p in problems:
        print(p)
    print(f'check-folders: {files} files, {libraries} libraries of engines, '
          f'{len(problems)} problems')
    if files == 0:
        print('check-folders: no files found', file=sys.stderr)
        return 1
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main())
