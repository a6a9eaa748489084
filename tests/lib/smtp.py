"""A small mail server, which takes what it is given: in the clear, after STARTTLS, or by TLS."""

import base64
import email
import email.policy
import socket
import ssl
import threading


class Mail:
    def __init__(self, sender, to, octets):
        self.sender, self.to, self.octets = sender, to, octets
        self.message = email.message_from_bytes(octets, policy=email.policy.default)
        self.text = self.message.get_content()


class MailServer:
    """answers: {b'RCPT': b'550 no'} refuses; else everything is taken. mails: what came. certificate: of a
    waybill.Certificate, for STARTTLS, or with tls='first' for TLS from the first octet. password: what AUTH
    must have; None: any is good. words: what clients said, without log-ons."""

    def __init__(self, answers=None, user=None, password=None, certificate=None, tls='later'):
        self.answers, self.mails, self.problems = answers or {}, [], []
        self.user, self.password = user, password
        self.logged_on, self.words = [], []
        self.context, self.first = None, tls == 'first'
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(certificate.cert, certificate.key)
        self.listening = socket.create_server(('127.0.0.1', 0))
        self.port = self.listening.getsockname()[1]
        self.url = f'smtp{"s" if self.first else ""}://127.0.0.1:{self.port}'

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
        try:
            with connection:
                if self.first:
                    connection = self.context.wrap_socket(connection, server_side=True)
                self._talk(connection)
        except (OSError, ValueError) as e:
            self.problems.append(e)

    def _log_on(self, say, f, line):
        words = line.split()
        if words[1].upper() != b'PLAIN':
            return say(b'504 no such mechanism')
        if len(words) == 2:
            say(b'334 ')
            words.append(f.readline())
        who = base64.b64decode(words[2]).split(b'\0')[1:]
        self.logged_on.append(who)
        if self.password is not None and who != [self.user.encode(), self.password.encode()]:
            return say(b'535 5.7.8 wrong name or password')
        return say(b'235 welcome')

    def _talk(self, connection):
        """Until QUIT, or STARTTLS: then the same again by TLS."""
        def say(line):
            f.write(line + b'\r\n')
            f.flush()

        sender, to, safe = None, [], isinstance(connection, ssl.SSLSocket)
        with connection, connection.makefile('rwb') as f:
            if self.first or not safe:
                say(b'220 test')
            while line := f.readline():
                assert line.endswith(b'\r\n'), line
                word = line[:4].upper()
                self.words.append(line.split()[0].upper().decode() + ('' if safe else ' in the clear'))
                if word in self.answers:
                    say(self.answers[word])
                elif word == b'EHLO':
                    say(b'250-test')
                    if self.context and not safe:
                        say(b'250-STARTTLS')
                    say(b'250 AUTH PLAIN' if self.user else b'250 8BITMIME')
                elif word == b'STAR' and self.context and not safe:
                    say(b'220 go on')
                    return self._talk(self.context.wrap_socket(connection, server_side=True))
                elif word == b'AUTH':
                    self._log_on(say, f, line)
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
                    return say(b'221 bye')
                else:
                    say(b'502 what')
