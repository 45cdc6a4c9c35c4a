"""Lists, writes, deletes and generates credentials in a simulated nRF9160 with nrfcredstore 1.1.1.

Twice over: its command line as it is, and its classes over a port that drops empty lines. The tool was written for
Nordic's at_client sample, whose answers have no empty line in front; the Serial LTE Modem's have one, and the tool
then takes a deletion that worked for one that failed.
"""

import contextlib
import hashlib
import os
import pathlib
import subprocess
import sys
import tempfile

import serial
from nrfcredstore.at_client import ATClient
from nrfcredstore.credstore import CredStore, CredType
from nrfcredstore.exceptions import ATCommandError

# It ends its commands with CR LF, which Serial Modem, a CR build, takes as well.
DIALECTS = ["2.0", "2.1", "2.3", "2.5", "2.6", "2.7", "3.1", "2.1-native", "3.1-native", "sm"]
PEM = "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmg\nQUJDRA==\n-----END CERTIFICATE-----\n"
# The tool strips the end of the file.
DIGEST = hashlib.sha256(PEM.rstrip().encode()).hexdigest().upper()
TIME_LIMIT = 30


@contextlib.contextmanager
def modem(sectag, dialect, directory):
    link = directory / f"modem-{dialect}"
    command = [sectag, "simulate", "--modem", "nrf9160", "--dialect", dialect, "--link", link]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            ready = process.stdout.readline()
            assert ready == f"ready: {link}\n", ready
            yield link
        finally:
            process.terminate()
    assert process.returncode == 0, process.returncode


def tool(link, *arguments, status=0):
    """Runs the command line; returns what it printed."""
    command = [pathlib.Path(sys.executable).parent / "nrfcredstore", link, *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=TIME_LIMIT)
    assert ended.returncode == status, (arguments, ended)
    return ended.stdout


def rows(table):
    return [tuple(line.split()) for line in table.splitlines()[1:]]


def command_line(link, directory):
    ca, key, csr = directory / "ca.pem", directory / "key.pem", directory / "request.der"
    ca.write_text(PEM)
    key.write_text("secret\n")
    tool(link, "write", "16842753", "ROOT_CA_CERT", ca)
    tool(link, "write", "16842753", "CLIENT_KEY", key)
    listed = rows(tool(link, "list"))
    assert ("16842753", "ROOT_CA_CERT", DIGEST) in listed, listed
    only = rows(tool(link, "list", "--tag", "16842753", "--type", "ROOT_CA_CERT"))
    assert only == [("16842753", "ROOT_CA_CERT", DIGEST)], only

    tool(link, "generate", "17", csr)
    # SEQUENCE, two bytes of length: a PKCS#10 request as long as it says.
    request = csr.read_bytes()
    assert request[:2] == b"\x30\x82" and int.from_bytes(request[2:4], "big") == len(request) - 4
    assert [row[1] for row in rows(tool(link, "list", "--tag", "17"))] == ["CLIENT_KEY"]
    assert "519" in tool(link, "generate", "17", csr, status=11)

    # It is gone, whatever the tool says.
    assert "delete failed" in tool(link, "delete", "16842753", "ROOT_CA_CERT", status=1)
    assert [row[1] for row in rows(tool(link, "list", "--tag", "16842753"))] == ["CLIENT_KEY"]
    assert "513" in tool(link, "delete", "16842753", "ROOT_CA_CERT", status=11)


class WithoutEmptyLines(serial.Serial):
    """A port as the tool expects it."""

    def readline(self, *arguments):
        while (line := super().readline(*arguments)) == b"\r\n":
            pass
        return line


def classes(link, directory, native):
    with WithoutEmptyLines() as port:
        client = ATClient(port)
        store = CredStore(client)
        client.connect(os.fspath(link))
        assert client.verify()
        client.enable_error_codes()
        assert store.func_mode(4)
        file = directory / "ca.pem"
        with file.open() as content:
            assert store.write(321, CredType.ROOT_CA_CERT, content)
        assert [(c.tag, c.type, c.sha) for c in store.list(321)] == [(321, CredType.ROOT_CA_CERT, DIGEST)]
        assert store.delete(321, CredType.ROOT_CA_CERT)
        assert store.list(321) == []
        # LTE on: the modem refuses, the tool knows the number.
        assert store.func_mode(1)
        try:
            store.delete(16842753, CredType.CLIENT_KEY)
            raise AssertionError("a deletion with LTE on")
        except ATCommandError as error:
            assert "518" in str(error)
        assert store.func_mode(4)
        assert store.delete(16842753, CredType.CLIENT_KEY)
        if native == "2.1-native":
            # Natively stored credentials, as Nordic's tool sees them (sheet 12.3).
            for kind, content in enumerate(["ca", "cert", "key"]):
                client.at_command(f'AT#XCMNG=0,321,{kind},"{content}"')
            listed = [(c.tag, c.type) for c in store.list() if c.tag < 2**31 and c.tag != 17]
            assert listed == [(tag, CredType.ROOT_CA_CERT) for tag in (3210, 3211, 3212)], listed
        if native == "3.1-native":
            client.at_command('AT#XCMNG=0,321,0,"ca"')
            assert client.at_command("AT#XCMNG=1") == ["#XCMNG: 321,0"]
            assert store.list(321) == []


def main(sectag):
    for dialect in DIALECTS:
        with tempfile.TemporaryDirectory() as name, modem(sectag, dialect, pathlib.Path(name)) as link:
            command_line(link, pathlib.Path(name))
            classes(link, pathlib.Path(name), dialect)
        print(f"nrfcredstore 1.1.1 on {dialect}: good")


main(*sys.argv[1:])
