"""An ssh-agent with keys as a FIDO token has them (OpenSSH's PROTOCOL.u2f and PROTOCOL.agent), computed instead of touched."""

import hashlib
import socket
import struct
import threading

import pytest

APPLICATION = b"ssh:"
REQUEST_IDENTITIES, IDENTITIES_ANSWER, SIGN_REQUEST, SIGN_RESPONSE, FAILURE = 11, 12, 13, 14, 5
USER_PRESENT = 1


def string(data):
    return struct.pack(">I", len(data)) + data


def mpint(number):
    return string(number.to_bytes(number.bit_length() // 8 + 1, "big"))


class Ed25519:
    name = b"sk-ssh-ed25519@openssh.com"

    def __init__(self):
        ed25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")
        serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")
        self.key = ed25519.Ed25519PrivateKey.generate()
        self.public = string(self.key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw))

    def sign(self, data):
        return self.key.sign(data)


class EcdsaP256:
    name = b"sk-ecdsa-sha2-nistp256@openssh.com"

    def __init__(self):
        ec = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ec")
        hashes = pytest.importorskip("cryptography.hazmat.primitives.hashes")
        utils = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.utils")
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.algorithm, self.numbers_of = ec.ECDSA(hashes.SHA256()), utils.decode_dss_signature
        numbers = self.key.public_key().public_numbers()
        self.public = string(b"nistp256") + string(b"\x04" + numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big"))

    def sign(self, data):
        return b"".join(map(mpint, self.numbers_of(self.key.sign(data, self.algorithm))))


class HardwareAgent:
    def __init__(self, path, key):
        self.key = key
        self.blob = string(key.name) + key.public + string(APPLICATION)
        self.signatures = 0
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with client, client.makefile("rb") as stream:
            while head := stream.read(4):
                answer = self._answer(stream.read(struct.unpack(">I", head)[0]))
                client.sendall(string(answer))

    def _answer(self, request):
        if request[0] == REQUEST_IDENTITIES:
            return struct.pack(">BI", IDENTITIES_ANSWER, 1) + string(self.blob) + string(b"token")
        if request[0] == SIGN_REQUEST and request[1:].startswith(string(self.blob)):
            begin = 1 + 4 + len(self.blob) + 4
            size = struct.unpack(">I", request[begin - 4:begin])[0]
            return bytes([SIGN_RESPONSE]) + string(self._signature(request[begin:begin + size]))
        return bytes([FAILURE])

    def _signature(self, data):
        self.signatures += 1
        seal = struct.pack(">BI", USER_PRESENT, self.signatures)
        signed = hashlib.sha256(APPLICATION).digest() + seal + hashlib.sha256(data).digest()
        return string(self.key.name) + string(self.key.sign(signed)) + seal

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
