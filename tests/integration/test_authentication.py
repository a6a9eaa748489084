"""Secure authentication with a partner whose cryptography is the openssl command, and what is
sealed anew after it was refused."""

import os
import subprocess

import pytest

import oftp
import scene
import waybill
from scene import Relation, document, post


def openssl(directory, octets, *args):
    (directory / 'in').write_bytes(octets)
    subprocess.run(['openssl', 'cms', '-binary', '-in', 'in', '-out', 'out', *args],
                   cwd=directory, check=True, capture_output=True)
    return (directory / 'out').read_bytes()


@pytest.fixture(scope='module')
def keys(tmp_path_factory):
    ca = waybill.Authority(tmp_path_factory.mktemp('keys'), algorithm='rsa:2048')
    usage = 'digitalSignature,keyEncipherment'
    return ca.issue('ours', key_usage=usage), ca.issue('acme', key_usage=usage)


def relation(plant, keys, **settings):
    ours, acme = keys
    scene.apply(plant, ours.component('ours'), acme.component('acme', key=False),
                scene.identity('secure', 'O0013SECURE',
                               session_authentication_challenge_certificate='ours',
                               signing_certificate='ours'))
    return Relation(plant, listen=False, encryption_certificate='acme',
                    session_authentication_encrypting_certificate='acme', **settings)


@pytest.mark.parametrize('cipher, suite', [('-des3', 'TRIPLEDES_RSA_SHA256'),
                                           ('-aes256', 'AES_RSA_SHA256')])
def test_challenges_with_triple_des_and_with_aes_are_answered(plant, keys, tmp_path, cipher,
                                                              suite):
    """OFTP2-C54: the partner's challenge may be either; ours is of the suite agreed."""
    ours, acme = keys
    r = relation(plant, keys, cipher_suite=suite, require_secure_authentication=True)
    scene.apply(plant, scene.process(r.listener, r.name, to='secure'))
    with r.peer(auth='Y') as me:
        me.log_on()
        me.send('SECD')
        challenge = me.expect('AUCH').chal
        printed = subprocess.run(['openssl', 'cms', '-cmsout', '-print', '-inform', 'DER'],
                                 input=challenge, capture_output=True, check=True).stdout
        assert (b'des-ede3-cbc' if cipher == '-des3' else b'aes-256-cbc') in printed
        me.send('AURP', rsp=openssl(tmp_path, challenge, '-decrypt', '-inform', 'DER', '-inkey',
                                    acme.key))
        me.expect('SECD')
        secret = os.urandom(20)
        me.send('AUCH', chal=openssl(tmp_path, secret, '-encrypt', '-outform', 'DER', cipher,
                                     ours.cert))
        assert me.expect('AURP').rsp == secret
        assert me.send_file(oftp.File(b'known', dest='O0013SECURE')).taken
        assert me.run() == 0
    r.wait_document('processed')


@pytest.mark.parametrize('how', ['NERP', 'EFNA'])
def test_a_file_that_is_sealed_anew_is_offered_from_its_start(plant, keys, how):
    """OFTP2-C106: the partner could not open it; after `retry` it is another envelope, and no
    position within the first one is offered."""
    with oftp.Server('O0013SEAL' + how, 'PW') as server:
        r = relation(plant, keys, server=server, send={'encrypted': True})
        n = r.send(os.urandom(300_000), name='SECRET', identity='secure')
        with server.accept() as me:
            me.log_on()
            first = me.take_file(me.expect_file(), stop_after=100_000)
            me.reset()
        with server.accept() as me:   # a restart offers a position within this envelope
            me.log_on()
            offered = me.expect_file()
            assert offered.rest > 0
            first = me.take_file(offered, partial=first,
                                 refuse_end=(22, 'no key') if how == 'EFNA' else None)
            if how == 'NERP':
                me.run(responses=[('NERP', offered, {'reas': 33})])
            else:
                me.run()
        scene.wait_document(plant, n, 'rejected' if how == 'NERP' else 'failed')
        post(plant, f'/api/v1/documents/{n}/retry')
        with server.accept() as me:
            me.log_on()
            again = me.expect_file()
            assert again.rest == 0
            second = me.take_file(again)
            assert second.data != first.data
            assert (again.time == offered.time) == (how == 'EFNA'), 'a rejected one has a new name'
            me.run(responses=[('EERP', again, {})])
        assert document(plant, n)['state'] == 'acknowledged'
