"""The login of a firmware in QEMU with a token that it signed, judged by PyJWT; see ./login."""

import pathlib
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "jwt"))

from broker import Broker  # noqa: E402
from cryptography.hazmat.primitives import serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec  # noqa: E402

BIN, ELF, MODEM = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
HOST = "broker.sectag.test"
# As examples/firmware/src/token.rs has them.
AUDIENCE = "sectag-firmware"
KEY = bytes([0x5A] * 32)
PATIENCE = 180


def public_key():
    key = ec.derive_private_key(int.from_bytes(KEY, "big"), ec.SECP256R1())
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def simulate(port, children, clock):
    dialect = ["--dialect", "2.1"] if MODEM == "nrf9160" else []
    child = subprocess.Popen(
        [BIN / "sectag", "simulate", "--modem", MODEM, *dialect, "--tcp", "0", "--turnaround-ms", "20",
         "--map", f"{HOST}:8883=127.0.0.1:{port}", *clock],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    children.append(child)
    for line in child.stdout:
        if "tcp:127.0.0.1:" in line:
            uart = line[line.index("127.0.0.1:"):].split()[0].rstrip(".,;)")
            # What it says later is not read; a full pipe would stop it.
            threading.Thread(target=child.stdout.read, daemon=True).start()
            return uart
    sys.exit("FAILED: the simulator does not start")


def run(there, audience, children):
    """What the broker says to the firmware, whether that ended well, and what was published."""
    broker = Broker(there / "server.pem", there / "server.key", public_key(), audience, "ES256",
                    (b"sectag/command", b"stop"))
    uart = simulate(broker.port, children, [])
    subprocess.run(
        [BIN / "sectag", "credentials", "store", "--modem", MODEM, "--port", f"tcp:{uart}", "--tag", "7",
         "--ca", there / "ca.pem", "--cert", there / "client.pem", "--key", there / "client.key"],
        check=True, capture_output=True, timeout=PATIENCE)
    firmware = subprocess.Popen([HERE / "qemu", ELF, uart], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    children.append(firmware)
    end = time.monotonic() + PATIENCE
    while firmware.poll() is None and time.monotonic() < end:
        # One that is refused tries again for ever.
        if any(word != "accepted" for word in broker.words):
            break
        time.sleep(0.2)
    return broker.words, firmware.poll(), broker.published


def main():
    children = []
    try:
        with tempfile.TemporaryDirectory() as name:
            there = pathlib.Path(name)
            subprocess.run([BIN / "throwaway-pki", there, HOST, "localhost"], check=True, capture_output=True)
            words, code, published = run(there, AUDIENCE, children)
            if words != ["accepted"] or code != 0 or [topic for topic, _ in published] != ["sectag/report"]:
                sys.exit(f"FAILED: accepted, stopped and reported: {words}, exit status {code}, {published}")
            # The same token, for somebody else: the broker does judge it.
            words, code, published = run(there, "another", children)
            if not words or "InvalidAudienceError" not in words[0] or published:
                sys.exit(f"FAILED: refused for its audience: {words}, exit status {code}, {published}")
    finally:
        for child in children:
            child.kill()
            child.wait()
    print(f"firmware for {MODEM}: logged in with a token that PyJWT accepts, signed with ES256 in QEMU")


main()
