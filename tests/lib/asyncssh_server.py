"""asyncssh as an SSH server on loopback; its only argument is a JSON object of what it shall do:

port, host_keys, certificates, authorized_keys (paths); password; rounds of keyboard-interactive, each a list of [text, echo,
answer]; banner. It forwards to wherever it is asked and runs no commands."""

import asyncio
import json
import sys

import asyncssh


class Server(asyncssh.SSHServer):
    def __init__(self, options):
        self.options = options
        self.rounds = list(options.get("rounds", ()))

    def connection_made(self, conn):
        self.conn = conn

    def begin_auth(self, username):
        if self.options.get("banner"):
            self.conn.send_auth_banner(self.options["banner"])
        return True

    def public_key_auth_supported(self):
        return bool(self.options.get("authorized_keys"))

    def password_auth_supported(self):
        return "password" in self.options

    def validate_password(self, username, password):
        return password == self.options["password"]

    def kbdint_auth_supported(self):
        return bool(self.rounds)

    def challenge(self):
        return "name", "what to do", "", [(text, echo) for text, echo, _ in self.rounds[0]]

    def get_kbdint_challenge(self, username, lang, submethods):
        return self.challenge()

    def validate_kbdint_response(self, username, responses):
        if responses != [answer for _, _, answer in self.rounds.pop(0)]:
            return False
        return self.challenge() if self.rounds else True

    def connection_requested(self, dest_host, dest_port, orig_host, orig_port):
        return True

    def server_requested(self, listen_host, listen_port):
        return True


async def main(options):
    # All that it has, also what it does not offer by itself.
    await asyncssh.create_server(
        lambda: Server(options), "127.0.0.1", options["port"], server_host_keys=options["host_keys"],
        server_host_certs=options["certificates"] or (), authorized_client_keys=options.get("authorized_keys"),
        kex_algs=options.get("kex", "*"), encryption_algs=options.get("ciphers", "*"), mac_algs=options.get("macs", "*"),
        line_editor=False)
    await asyncio.get_running_loop().create_future()

asyncio.run(main(json.loads(sys.argv[1])))
