"""A small mail server, which takes what it is given."""

import base64
import email
import email.policy
import socket
import threading


class Mail:
    def __init__(self, sender, to, octets):
        self.sender, self.to, self.octets = sender, to, octets
        self.message = email.message_from_bytes(octets, policy=email.policy.default)
        self.text = self.message.get_content()


class MailServer:
    """answers: {b'RCPT': b'550 no'} refuses; else everything is taken. mails: what came."""

    def __init__(self, answers=None, user=None, password=None):
        self.answers, self.mails, self.problems = answers or {}, [], []
        self.user, self.password = user, password
        self.logged_on = []
        self.listening = socket.create_server(('127.0.0.1', 0))
        self.url = f'smtp://127.0.0.1:{self.listening.getsockname()[1]}'

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listening.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection, connection.makefile('rwb') as f:
            try:
                self._talk(f)
            except (OSError, ValueError) as e:
                self.problems.append(e)

    def _talk(self, f):
        def say(line):
            f.write(line + b'\r\n')
            f.flush()

        sender, to = None, []
        say(b'220 test')
        while line := f.readline():
            assert line.endswith(b'\r\n'), line
            word = line[:4].upper()
            if word in self.answers:
                say(self.answers[word])
            elif word == b'EHLO':
                say(b'250-test')
                say(b'250 AUTH PLAIN' if self.user else b'250 8BITMIME')
            elif word == b'AUTH':
                self.logged_on.append(base64.b64decode(line.split()[-1]).split(b'\0')[1:])
                say(b'235 welcome')
            elif word == b'MAIL':
                sender, to = line.split(b':', 1)[1].strip(), []
                say(b'250 yes')
            elif word == b'RCPT':
                to.append(line.split(b':', 1)[1].strip())
                say(b'250 yes')
            elif word == b'DATA':
                say(b'354 go on')
                octets = b''
                while (line := f.readline()) != b'.\r\n':
                    assert line.endswith(b'\r\n') and len(line) <= 1000, line
                    octets += line[1:] if line.startswith(b'.') else line
                self.mails.append(Mail(sender, to, octets))
                say(b'250 taken')
            elif word == b'QUIT':
                say(b'221 bye')
                return
            else:
                say(b'502 what')
