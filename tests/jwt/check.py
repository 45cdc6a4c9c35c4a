"""Tokens of `sectag jwt` and of logins over simulated modems, judged by PyJWT; see ./run."""

import base64
import datetime
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import jwt
from broker import Broker
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

SECTAG = pathlib.Path(sys.argv[1]).resolve()
AUDIENCE = "sectag-project"
HOST = "broker.sectag.test"
DAY = 86400
# How a simulated modem with Wi-Fi tells of its network.
WIFI = "the only Wi-Fi network here is "
checks = 0


def check(what, true, *shown):
    global checks
    checks += 1
    if not true:
        sys.exit(f"FAILED: {what}: {shown}")


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, capture_output=True)


def sectag(*args, code=0, stdin=""):
    done = subprocess.run([SECTAG, *map(str, args)], input=stdin, capture_output=True, text=True, timeout=180)
    check(f"exit code of {args}", done.returncode == code, done.stdout, done.stderr)
    return done


def make(key, *more):
    return sectag("jwt", "make", "--key", key, "--aud", AUDIENCE, *more).stdout.strip()


def refuse(named, key, *more, code=1):
    said = sectag("jwt", "make", "--key", key, "--aud", AUDIENCE, *more, code=code).stderr
    check(f"{named!r} is named", named in said, said)


def keys(there):
    """Private keys in every form, their public keys, and what is none."""
    ec = there / "ec.pem"
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", ec)
    openssl("genrsa", "-traditional", "-out", there / "rsa.pem", "2048")
    for name in ["ec", "rsa"]:
        key = there / f"{name}.pem"
        openssl("pkey", "-in", key, "-pubout", "-out", there / f"{name}.pub")
        openssl("pkcs8", "-topk8", "-nocrypt", "-in", key, "-out", there / f"{name}8.pem")
        openssl("pkcs8", "-topk8", "-nocrypt", "-in", key, "-outform", "DER", "-out", there / f"{name}8.der")
        openssl("pkcs8", "-topk8", "-in", key, "-passout", "pass:x", "-out", there / f"{name}.locked")
    openssl("ecparam", "-name", "secp384r1", "-genkey", "-noout", "-out", there / "p384.pem")
    openssl("genpkey", "-algorithm", "ed25519", "-out", there / "ed.pem")
    openssl("genrsa", "-out", there / "short.pem", "1024")
    openssl("req", "-x509", "-key", ec, "-subj", "/CN=x", "-out", there / "ec.crt")


def tokens(there):
    for name, algorithm in [("ec", "ES256"), ("rsa", "RS256")]:
        public = (there / f"{name}.pub").read_text()
        for file in [f"{name}.pem", f"{name}8.pem", f"{name}8.der"]:
            token = make(there / file, "--ttl", "600")
            check("no padding, alphabet of URLs", not set(token) & set("=+/"), token)
            claims = jwt.decode(token, public, algorithms=[algorithm], audience=AUDIENCE,
                                options={"require": ["aud", "iat", "exp"]})
            check("life", claims["exp"] - claims["iat"] == 600, claims)
            check("issued now", abs(claims["iat"] - time.time()) < 60, claims)
            header = jwt.get_unverified_header(token)
            check("header", header == {"alg": algorithm, "typ": "JWT"}, header)
            said = sectag("jwt", "explain", "-", stdin=token + "\n").stdout
            for fact in [algorithm, AUDIENCE, "life: 600 s", {"ec": "P-256", "rsa": "key type: RSA"}[name]]:
                check(f"{fact!r} is explained", fact in said, said)
        made = json.loads(sectag("--json", "jwt", "make", "--key", there / f"{name}.pem", "--aud", AUDIENCE).stdout)
        check("JSON", made["alg"] == algorithm and made["token"].count(".") == 2, made)
    for name in ["ec", "rsa"]:
        refuse("encrypted", there / f"{name}.locked")
        refuse("public key", there / f"{name}.pub")
        for ttl in ["0", str(DAY + 1)]:
            refuse("24 hours", there / f"{name}.pem", "--ttl", ttl, code=2)
        make(there / f"{name}.pem", "--ttl", DAY)
    refuse("P-384", there / "p384.pem")
    refuse("Ed25519", there / "ed.pem")
    refuse("certificate", there / "ec.crt")
    refuse("1024 bits", there / "short.pem")
    refuse("cannot sign with RS256", there / "ec.pem", "--alg", "RS256")
    refuse("cannot sign with ES256", there / "rsa.pem", "--alg", "ES256")


def explain(token, *named):
    said = sectag("jwt", "explain", token, code=1).stdout
    problems = [line for line in said.splitlines() if line.startswith("problem: ")]
    check(f"problems are {named}", len(problems) == len(named), said)
    for problem, name in zip(problems, named):
        check(f"{name!r} is named", name in problem, said)


def explanations(there):
    ec = (there / "ec.pem").read_text()
    now = int(time.time())
    claims = {"aud": AUDIENCE, "iat": now, "exp": now + 60}
    # Until the signature's ordinary base64 has both characters; with 64 bytes it is always padded by two.
    while True:
        token = jwt.encode(claims, ec, algorithm="ES256")
        signed, signature = token.rsplit(".", 1)
        ordinary = base64.b64encode(base64.urlsafe_b64decode(signature + "==")).decode()
        if "+" in ordinary and "/" in ordinary:
            break
    check("it is what the issue names", ordinary.endswith("=="), ordinary)
    explain(f"{signed}.{ordinary}", "part 3 (signature) has `+` and `/`", "part 3 (signature) ends with `==`")
    explain(jwt.encode(claims | {"iat": now - DAY, "exp": now - 1}, ec, algorithm="ES256"), "expired")
    explain(jwt.encode(claims | {"exp": now + 2 * DAY}, ec, algorithm="ES256"), "24 hours")
    explain(jwt.encode(claims, "s" * 32, algorithm="HS256"), "shared secret")
    explain(jwt.encode(claims, None, algorithm="none"), "signature) is empty", "not signed")
    explain(jwt.encode({"iat": now, "exp": now + 60}, ec, algorithm="ES256"), "no aud")
    explain(token[:-1], "cut")


def pki(there):
    """A CA and a broker's certificate, valid since long ago: a modem's clock may be behind."""
    begin = datetime.datetime(2026, 1, 1)
    names = {name: x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in ["test CA", HOST]}
    keys = {name: rsa.generate_private_key(65537, 2048) for name in names}
    for name, file in [("test CA", "ca"), (HOST, "server")]:
        is_ca = file == "ca"
        certificate = (
            x509.CertificateBuilder()
            .subject_name(names[name]).issuer_name(names["test CA"]).public_key(keys[name].public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin).not_valid_after(begin + datetime.timedelta(days=3650))
            .add_extension(x509.BasicConstraints(is_ca, None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
            .sign(keys["test CA"], hashes.SHA256()))
        (there / f"{file}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        (there / f"{file}.key").write_bytes(keys[name].private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))


class Modem:
    """A simulated modem with the CA under tag 5, in front of a broker."""

    def __init__(self, name, port, clock, ca):
        self.child = subprocess.Popen(
            [SECTAG, "simulate", "--modem", name, "--tcp", "0", "--map", f"{HOST}:8883=127.0.0.1:{port}",
             "--clock", clock],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        wifi = []
        for line in self.child.stdout:
            if line.startswith(WIFI):
                passphrase = line.split('"')[1]
                wifi = ["--ssid", line[len(WIFI):].split(",")[0], "--psk", f"@{ca.with_name('psk')}"]
                ca.with_name("psk").write_text(passphrase)
            if "tcp:127.0.0.1:" in line:
                at = line.index("tcp:127.0.0.1:")
                self.port = line[at:].split()[0].rstrip(".,;)")
                break
        self.options = ["--modem", name, "--port", self.port, *wifi]
        sectag("credentials", "store", *self.options, "--set-clock", "no", "--tag", "5", "--ca", ca)

    def talk(self, command, *more, code=0):
        # The nRF9160 cannot tell which cipher suite it uses.
        return sectag(command, *self.options, "--host", HOST, "--tag", "5", "--private-ca", "--accept-missing", "suites",
                      *more, code=code)

    def end(self):
        self.child.terminate()
        self.child.wait()


def logins(there, name):
    ca, server = there / "ca.pem", there / "server.pem"
    ec = there / "ec.pem"
    broker = Broker(server, there / "server.key", (there / "ec.pub").read_text(), AUDIENCE, "ES256")
    modem = Modem(name, broker.port, "unset", ca)
    message = ["--topic", "t", "--message", "hello", "--set-clock", "host"]

    def refused(named, *login):
        said = modem.talk("publish", *message, *login, code=1).stderr
        check(f"{named!r} in the broker's words", named in broker.words[-1], broker.words)
        check("the tool says that the broker refused", "reason code 0x86" in said, said)
        return said

    token = ["--jwt-key", ec, "--jwt-aud", AUDIENCE]
    modem.talk("publish", *message, *token)
    check("accepted", broker.words == ["accepted"] and broker.published == [("t", b"hello")], broker.words)
    got = modem.talk("subscribe", "--topic", "sectag/#", "--count", "1", "--set-clock", "host", *token).stdout
    check("subscribed", got == "sectag/hello hello\n", got)

    said = refused("InvalidAudienceError", "--jwt-key", ec, "--jwt-aud", "another-project")
    check("the token is in the hint", "for another-project" in said and "ES256" in said, said)
    refused("InvalidAlgorithmError", "--jwt-key", there / "rsa.pem", "--jwt-aud", AUDIENCE)
    stolen = there / "stolen.pem"
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", stolen)
    refused("InvalidSignatureError", "--jwt-key", stolen, "--jwt-aud", AUDIENCE)
    padded = there / "padded"
    padded.write_text(make(ec) + "==\n")
    refused("padded", "--username", "unused", "--password", f"@{padded}")
    modem.end()

    if name == "nrf9160":
        # It takes the network's time at each registration, so its clock cannot be made wrong from here.
        return
    # The token's time is the modem's: one that is eight days behind makes it an expired one.
    behind = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 8 * DAY))
    modem = Modem(name, broker.port, behind, ca)
    message[-1] = "no"
    said = refused("ExpiredSignatureError", "--jwt-key", ec, "--jwt-aud", AUDIENCE)
    check("the clocks are compared", "a token has the modem's time" in said, said)
    modem.end()
    # And one that was never set makes none: the error comes before the login.
    before = len(broker.words)
    modem = Modem(name, broker.port, "2026-10-01T00:00:00Z", ca)
    said = modem.talk("publish", *message, "--jwt-key", ec, "--jwt-aud", AUDIENCE, code=1).stderr
    check("a clock that is not set is named", "clock" in said, said)
    check("nothing was logged in", len(broker.words) == before, broker.words)
    modem.end()


def requests(there, name, kind):
    """A key and a signing request, wherever the key is made: openssl and cryptography verify it."""
    modem = Modem(name, 1, "unset", there / "ca.pem")
    made = there / f"{name}.csr"
    subject = ["--subject", "CN=pump-17,O=Example"]
    key = there / f"{name}.new"
    # This one has no clock.
    clock = [] if name == "ublox-shortrange" else ["--set-clock", "host"]
    for tag, more in [("21", []), ("22", ["--key-out", key])]:
        said = sectag("credentials", "csr", *modem.options, *clock, "--tag", tag, *subject, *more)
        made.write_text(said.stdout)
        verified = subprocess.run(["openssl", "req", "-verify", "-noout", "-subject", "-in", made],
                                  capture_output=True, text=True)
        check("openssl verifies the request", verified.returncode == 0 and "pump-17" in verified.stdout, verified)
        request = x509.load_pem_x509_csr(made.read_bytes())
        check("cryptography verifies it", request.is_signature_valid)
        check("subject", "CN=pump-17" in request.subject.rfc4514_string(), request.subject)
        check("kind of key", type(request.public_key()).__name__ == kind, request.public_key())
        check("where the key is", "under tag " + tag in said.stderr, said.stderr)
    stored = serialization.load_pem_private_key(key.read_bytes(), None)
    check("the file has the key", stored.public_key() == request.public_key())
    check("only its owner reads it", key.stat().st_mode & 0o777 == 0o600, key.stat())
    modem.end()


def requests_of_a_link(there):
    """With TLS on this computer the key is in its store, and no modem is asked."""
    store = there / "store"
    os.environ["SECTAG_STORE"] = str(store)
    made = there / "ublox-ppp.csr"
    options = ["--modem", "ublox-ppp", "--port", "/nowhere", "--tag", "21", "--subject", "CN=pump-17,O=Example"]
    made.write_text(sectag("credentials", "csr", *options).stdout)
    verified = subprocess.run(["openssl", "req", "-verify", "-noout", "-subject", "-in", made],
                              capture_output=True, text=True)
    check("openssl verifies the request", verified.returncode == 0 and "pump-17" in verified.stdout, verified)
    request = x509.load_pem_x509_csr(made.read_bytes())
    check("cryptography verifies it", request.is_signature_valid)
    key = store / "21" / "key.pem"
    stored = serialization.load_pem_private_key(key.read_bytes(), None)
    check("the store has the key", stored.public_key() == request.public_key())
    check("only its owner reads it", key.stat().st_mode & 0o777 == 0o600, key.stat())


def main():
    with tempfile.TemporaryDirectory() as name:
        there = pathlib.Path(name)
        keys(there)
        tokens(there)
        explanations(there)
        pki(there)
        for modem in ["bg96", "nrf9160"]:
            logins(there, modem)
        requests(there, "bg96", "RSAPublicKey")
        requests(there, "nrf9160", "ECPublicKey")
        for modem in ["ublox-cellular", "ublox-shortrange", "cc32xx", "cc31xx"]:
            requests(there, modem, "RSAPublicKey")
        requests_of_a_link(there)
    print(f"{checks} checks passed")


main()
