"""A small MQTT broker (3.1.1 and 5, over TLS) that lets in who has a token, and asks PyJWT which token is one.

It knows one public key, one audience and one algorithm, and says why it refuses in its own words: `words` has them, in
the order of the logins. Subscribers are sent one message, the greeting.
"""

import socket
import ssl
import threading

import jwt

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, DISCONNECT = 1, 2, 3, 4, 8, 9, 14
# MQTT 5, table 3.1; MQTT 3.1.1, table 3.1.
REFUSED = {5: 0x86, 4: 4}
PATIENCE = 60


class Broker:
    def __init__(self, certificate, key, public_key, audience, algorithm, greeting=(b"sectag/hello", b"hello")):
        self.greeting = greeting
        self.words = []
        self.published = []
        self.public_key, self.audience, self.algorithm = public_key, audience, algorithm
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            client.settimeout(PATIENCE)
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        try:
            with self.context.wrap_socket(client, server_side=True) as stream:
                self.talk(stream)
        except (OSError, EOFError) as error:
            self.words.append(f"connection: {error}")

    def judge(self, password):
        """Why this token is refused; None where it is not."""
        token = password.decode("ascii", "replace")
        # PyJWT overlooks padding behind the signature; libraries in other languages do not (RFC 7515 section 2).
        if "=" in token:
            return "padded: a token has no '='"
        try:
            jwt.decode(token, self.public_key, algorithms=[self.algorithm], audience=self.audience,
                       options={"require": ["aud", "iat", "exp"]})
        except jwt.PyJWTError as error:
            return f"{type(error).__name__}: {error}"
        return None

    def talk(self, stream):
        kind, body = read(stream)
        if kind != CONNECT:
            self.words.append(f"no CONNECT but packet type {kind}")
            return
        version, password = login(body)
        refusal = self.judge(password)
        self.words.append(refusal or "accepted")
        code = REFUSED[version] if refusal else 0
        # In MQTT 5, with the reason as a property.
        reason = (refusal or "").encode()
        properties = b"\x1f" + len(reason).to_bytes(2, "big") + reason if reason else b""
        tail = varint(len(properties)) + properties if version == 5 else b""
        stream.sendall(packet(CONNACK, 0, bytes([0, code]) + tail))
        if refusal:
            return
        while True:
            kind, body = read(stream)
            if kind & 15 == DISCONNECT:
                return
            if kind & 15 == PUBLISH:
                self.publish(stream, kind >> 4, body, version)
            elif kind & 15 == SUBSCRIBE:
                empty = b"\0" if version == 5 else b""
                stream.sendall(packet(SUBACK, 0, body[:2] + empty + b"\0"))
                topic, content = self.greeting
                stream.sendall(packet(PUBLISH, 0, text(topic) + empty + content))

    def publish(self, stream, flags, body, version):
        topic, rest = take(body)
        qos = flags >> 1 & 3
        packet_id, rest = (rest[:2], rest[2:]) if qos else (b"", rest)
        if version == 5:
            rest = skip_properties(rest)
        self.published.append((topic.decode(), rest))
        if qos:
            stream.sendall(packet(PUBACK, 0, packet_id))


def login(body):
    """Version and password of a CONNECT."""
    name, rest = take(body)
    assert name == b"MQTT", name
    version, flags, rest = rest[0], rest[1], rest[4:]
    if version == 5:
        rest = skip_properties(rest)
    _, rest = take(rest)
    if flags & 0x04:
        if version == 5:
            rest = skip_properties(rest)
        _, rest = take(rest)
        _, rest = take(rest)
    if flags & 0x80:
        _, rest = take(rest)
    password = take(rest)[0] if flags & 0x40 else b""
    return version, password


def take(data):
    length = int.from_bytes(data[:2], "big")
    return data[2:2 + length], data[2 + length:]


def text(data):
    return len(data).to_bytes(2, "big") + data


def skip_properties(data):
    length, size, shift = 0, 0, 0
    while True:
        byte = data[size]
        length |= (byte & 127) << shift
        size, shift = size + 1, shift + 7
        if byte < 128:
            return data[size + length:]


def varint(number):
    out = b""
    while True:
        number, byte = number >> 7, number & 127
        out += bytes([byte | (128 if number else 0)])
        if not number:
            return out


def packet(kind, flags, body):
    return bytes([kind << 4 | flags]) + varint(len(body)) + body


def read(stream):
    """Type, with the flags above it, and body of the next packet."""
    first = exactly(stream, 1)[0]
    length, shift = 0, 0
    while True:
        byte = exactly(stream, 1)[0]
        length |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            break
    return first >> 4 | (first & 15) << 4, exactly(stream, length)


def exactly(stream, count):
    data = b""
    while len(data) < count:
        more = stream.recv(count - len(data))
        if not more:
            raise EOFError("the client closed the connection")
        data += more
    return data
