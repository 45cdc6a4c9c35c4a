//! What can stand behind a name and a port, and which device asks.

use sectag::{Cause, Kind};
use sectag_test_support::mosquitto::MosquittoOptions;
use sectag_test_support::pki::{Identity, Pki, ServerKey, Validity};
use sectag_test_support::servers::{After, Answer, Door, Login, Server, Service, Tls};

use super::real::Peer;
use super::{HOST, PORT, Unit};

pub(super) const CLIENT_ID: &str = "device-17";
pub(super) const USER: &str = "device";

/// A row of the table.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) server: Server,
    /// What plays it where servers are programs.
    pub(super) peer: Peer,
    pub(super) place: Place,
    pub(super) device: Device,
    /// The modem's firmware does not name the host in the handshake (SNI).
    pub(super) hides_name: bool,
    /// What is true, and what would not be false.
    causes: Vec<Cause>,
    /// Where no cause is named: part of what is said of it.
    words: &'static str,
    /// The modems for which nothing is wrong.
    well: Vec<Unit>,
}

/// Where the server is.
pub(super) enum Place {
    /// Where it is looked for.
    There,
    /// On another port.
    OtherPort,
    /// Under another name, and the one that is asked for is nobody's.
    OtherName,
}

impl Place {
    /// Its name and port.
    pub(super) fn address(&self) -> (&'static str, u16) {
        match self {
            Self::There => (HOST, PORT),
            Self::OtherPort => (HOST, PORT + 1),
            Self::OtherName => ("another.sectag.test", PORT),
        }
    }
}

/// What the device has stored.
#[derive(Clone)]
pub(super) struct Device {
    ca: String,
    client: Option<Identity>,
    /// What this computer has in its place.
    right_client: Option<Identity>,
}

impl Device {
    pub(super) fn credentials(&self) -> Vec<(Kind, &str)> {
        self.with(self.client.as_ref())
    }

    /// As files of this computer.
    pub(super) fn files(&self) -> Vec<(Kind, &str)> {
        self.with(self.right_client.as_ref().or(self.client.as_ref()))
    }

    fn with<'a>(&'a self, client: Option<&'a Identity>) -> Vec<(Kind, &'a str)> {
        let mut all = vec![(Kind::Ca, &*self.ca)];
        if let Some(client) = client {
            all.push((Kind::ClientCertificate, &client.cert_pem));
            all.push((Kind::PrivateKey, &client.key_pem));
        }
        all
    }
}

/// What is to be said.
pub(super) enum Truth<'a> {
    /// Nothing is wrong.
    Well,
    Wrong {
        causes: &'a [Cause],
        words: &'a str,
    },
}

impl Row {
    fn new(name: &'static str, server: Server, causes: &[Cause]) -> Self {
        Self {
            name,
            server,
            peer: Peer::Ours,
            place: Place::There,
            device: Device {
                ca: Pki::shared().ca_pem(),
                client: None,
                right_client: None,
            },
            hides_name: false,
            causes: causes.into(),
            words: "",
            well: Vec::new(),
        }
    }

    /// A server whose handshake comes to nothing, and a broker behind it where it does not.
    fn handshake(name: &'static str, tls: Tls, causes: &[Cause]) -> Self {
        let server = broker(tls.clone());
        Self::new(name, server, causes).by(Peer::OpenSsl(tls, &[]))
    }

    /// A broker that shows this.
    fn shown(name: &'static str, identity: &Identity, causes: &[Cause]) -> Self {
        let options = MosquittoOptions::new().server(identity.clone());
        let server = broker(Tls::new(identity));
        Self::new(name, server, causes).by(Peer::Mosquitto(options.without_client_certificates()))
    }

    fn by(mut self, peer: Peer) -> Self {
        self.peer = peer;
        self
    }

    fn place(mut self, place: Place) -> Self {
        self.place = place;
        self
    }

    fn well(mut self, modems: &[Unit]) -> Self {
        self.well = modems.into();
        self
    }

    fn ca(mut self, ca: String) -> Self {
        self.device.ca = ca;
        self
    }

    fn client(mut self, client: &Identity) -> Self {
        self.device.client = Some(client.clone());
        self
    }

    fn words(mut self, words: &'static str) -> Self {
        self.words = words;
        self
    }

    pub(super) fn truth(&self, modem: Unit) -> Truth<'_> {
        if self.causes.is_empty() && self.words.is_empty() || self.well.contains(&modem) {
            return Truth::Well;
        }
        Truth::Wrong {
            causes: &self.causes,
            words: self.words,
        }
    }

    pub(super) fn truth_in_words(&self) -> String {
        match self.causes.first() {
            Some(cause) => format!("{cause:?}"),
            None if self.words.is_empty() => "nothing is wrong".into(),
            None => format!("\"{}\"", self.words),
        }
    }
}

/// ECDHE with ChaCha20, which none of the modems has.
const CHACHA: &[u16] = &[0xcca8, 0xcca9];
/// A fatal alert, protocol_version: what servers of TLS 1.1 and older say, and such of 1.3 alone.
const ALERT_VERSION: &[u8] = b"\x15\x03\x01\x00\x02\x02\x46";
const HTTP: &[u8] = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";

pub(super) fn all() -> Vec<Row> {
    let mut rows = plain();
    rows.extend(certificates());
    rows.extend(clients());
    rows.extend(logins());
    rows.extend(afterwards());
    rows
}

/// No TLS, or none that the modem speaks.
fn plain() -> Vec<Row> {
    use Cause::*;
    let pki = Pki::shared();
    let good = || Tls::new(&pki.issue_server([HOST]));
    let all = &super::MODEMS;
    vec![
        Row::shown("a broker as it should be", &pki.issue_server([HOST]), &[]).well(all),
        Row::new(
            "a name without address",
            Server::Closes,
            &[NameUnknown, NameUnknownHere],
        )
        .place(Place::OtherName),
        Row::new("nothing listens", Server::Closes, &[Unreachable]).place(Place::OtherPort),
        Row::new("silence", Server::Silent, &[NetworkSlow]),
        Row::new("an immediate close", Server::Closes, &[PeerClosed]),
        Row::new("MQTT without TLS", Server::Broker(Door::OPEN), &[NotTls])
            .by(Peer::PlainMosquitto),
        Row::new("HTTP", Server::Answers(HTTP), &[NotTls]),
        Row::new("SSH", Server::Greets(b"SSH-2.0-OpenSSH_9.6\r\n"), &[NotTls]),
        Row::new("SMTP", Server::Greets(b"220 mail ESMTP\r\n"), &[NotTls]),
        Row::new("TLS 1.3 alone", broker(good().only_1_3()), &[NoCommonSuite])
            .by(Peer::OpenSsl(good(), &["-tls1_3"])),
        Row::new(
            "TLS 1.1 at most",
            Server::Answers(ALERT_VERSION),
            &[NoCommonSuite],
        )
        .by(Peer::OpenSsl(
            good(),
            &["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"],
        )),
        Row::new(
            "no common cipher suite",
            broker(good().suites(CHACHA)),
            &[NoCommonSuite],
        )
        .by(Peer::OpenSsl(
            good(),
            &["-tls1_2", "-cipher", "ECDHE-RSA-CHACHA20-POLY1305"],
        )),
        Row::new(
            "HTTPS",
            Server::Tls(good().config(), Service::Answers(HTTP)),
            &[NotMqtt],
        ),
        Row::new(
            "TLS and then silence",
            Server::Tls(good().config(), Service::Silent),
            &[NotMqtt, BrokerBusy],
        ),
    ]
}

/// Certificates and chains.
fn certificates() -> Vec<Row> {
    use Cause::*;
    let pki = Pki::shared();
    let shows = |name, identity: &Identity, causes: &[Cause]| {
        Row::handshake(name, Tls::new(identity), causes)
    };
    let keyed = |name, key| {
        Row::shown(
            name,
            &pki.issue_server_of([HOST], key),
            &[ServerKeyUnsupported],
        )
    };
    let ecdsa = &[Unit::Slm, Unit::Native, Unit::SerialModem, Unit::Ublox];
    let house = other_house();
    let (behind, intermediate) = (
        house.issue_behind_intermediate([HOST]),
        house.intermediate_pem(),
    );
    let whole = Identity {
        cert_pem: format!("{}{intermediate}", behind.cert_pem),
        ..behind.clone()
    };
    let many: Vec<String> = [HOST.to_owned()]
        .into_iter()
        .chain((0..200).map(|number| format!("{number}.of.many.sectag.test")))
        .collect();
    let unbounded = &[Unit::Bg96, Unit::Native, Unit::Ublox];
    let chained = Tls::new(&behind).chain(&[&intermediate]);
    let mut sent = Row::shown("an intermediate that is sent", &whole, &[]).ca(house.ca_pem());
    sent.server = broker(chained.clone());
    let mut rows = vec![
        keyed("a key of ECDSA P-256", ServerKey::EcdsaP256).well(ecdsa),
        keyed("a key of ECDSA P-384", ServerKey::EcdsaP384).well(ecdsa),
        // OpenSSL 3.0 does not read PKCS#8 with the public key in it (RFC 5958), as ring writes it.
        keyed("a key of Ed25519", ServerKey::Ed25519).by(Peer::Ours),
        shows(
            "an intermediate that is not sent",
            &behind,
            &[ChainIncomplete],
        )
        .ca(house.ca_pem()),
        sent,
        Row::new(
            "a chain the wrong way round",
            broker(chained.reversed()),
            &[ChainIncomplete],
        )
        .ca(house.ca_pem()),
        Row::shown(
            "a certificate above 4 KiB",
            &pki.issue_server(&many),
            &[ChainTooLong],
        )
        .well(unbounded),
        shows(
            "an expired certificate",
            &pki.issue_server_valid([HOST], Validity::expired()),
            &[CertificateExpired],
        ),
        shows(
            "a certificate of the future",
            &pki.issue_server_valid([HOST], Validity::not_yet()),
            &[CertificateNotYetValid],
        ),
        shows(
            "a certificate for another name",
            &pki.issue_server(["another.sectag.test"]),
            &[NameMismatch],
        ),
        shows(
            "another CA of the same name",
            &pki.issue_server([HOST]),
            &[CaMismatch],
        )
        .ca(stranger().ca_pem()),
        shows("another CA", &pki.issue_server([HOST]), &[CaMismatch]).ca(other_house().ca_pem()),
        shows(
            "another CA and another name",
            &pki.issue_server(["another.sectag.test"]),
            &[CaMismatch, NameMismatch],
        )
        .ca(stranger().ca_pem()),
    ];
    let nameless = stranger().issue_server(["another.sectag.test"]);
    let mut row = Row::new(
        "another certificate without SNI",
        broker(Tls::new(&pki.issue_server([HOST])).without_name(&nameless)),
        &[SniNeeded],
    )
    .well(&[Unit::Ublox]);
    row.hides_name = true;
    rows.push(row);
    rows
}

/// What servers make of a device's certificate.
fn clients() -> Vec<Row> {
    use Cause::*;
    let pki = Pki::shared();
    let server = pki.issue_server([HOST]);
    let demands = |name, ca: String, causes: &[Cause]| {
        Row::handshake(name, Tls::new(&server).for_clients_of(&ca), causes)
    };
    let client = pki.client();
    let mixed = Identity {
        cert_pem: client.cert_pem.clone(),
        key_pem: pki.server().key_pem.clone(),
    };
    let lets_in = || Peer::Mosquitto(MosquittoOptions::new().server(server.clone()));
    let mut rows = vec![
        demands("a client certificate is shown", pki.ca_pem(), &[])
            .client(client)
            .by(lets_in()),
        demands(
            "a client certificate is missing",
            pki.ca_pem(),
            &[ClientCertificateNeeded],
        )
        .by(lets_in()),
        demands(
            "a client certificate of another CA",
            stranger().ca_pem(),
            &[ClientCertificateRefused],
        )
        .client(client),
        demands(
            "an expired client certificate",
            pki.ca_pem(),
            &[ClientCertificateRefused],
        )
        .client(&pki.issue_client_valid(CLIENT_ID, Validity::expired()))
        .words("client certificate of this computer expired"),
        demands(
            "a key of another certificate, here too",
            pki.ca_pem(),
            &[ClientKeyMismatch],
        )
        .client(&mixed)
        .words("made together"),
    ];
    let mut row = demands(
        "a key of another certificate, in the modem alone",
        pki.ca_pem(),
        &[ClientKeyMismatch],
    )
    .client(&mixed);
    row.device.right_client = Some(client.clone());
    row.words = "it is another one: store the file";
    rows.push(row);
    rows
}

/// How brokers refuse a login.
fn logins() -> Vec<Row> {
    use Cause::*;
    let door = |login: fn(&Login) -> Answer| Door {
        login,
        after: After::Serve,
    };
    let refuses = |name, login, causes: &[Cause]| Row::new(name, behind_tls(door(login)), causes);
    vec![
        refuses(
            "MQTT 5: bad user name or password (0x86)",
            |_| Answer::Refuse(0x86),
            &[LoginRefused],
        ),
        refuses(
            "MQTT 5: not authorised (0x87)",
            |_| Answer::Refuse(0x87),
            &[LoginRefused, NotAllowed],
        )
        .by(mosquitto(MosquittoOptions::new().user("another", "word"))),
        refuses(
            "MQTT 5: not authorised (0x87), for this client id",
            |login| match &*login.client_id {
                CLIENT_ID => Answer::Refuse(0x87),
                _ => Answer::Accept,
            },
            &[ClientIdRefused],
        ),
        refuses(
            "MQTT 5: client id not valid (0x85)",
            |login| match &*login.client_id {
                CLIENT_ID => Answer::Refuse(0x85),
                _ => Answer::Accept,
            },
            &[ClientIdRefused],
        ),
        refuses(
            "MQTT 5: server unavailable (0x88)",
            |_| Answer::Refuse(0x88),
            &[BrokerBusy],
        ),
        refuses(
            "MQTT 5: server busy (0x89)",
            |_| Answer::Refuse(0x89),
            &[BrokerBusy],
        ),
        refuses(
            "MQTT 5: banned (0x8a)",
            |_| Answer::Refuse(0x8a),
            &[NotAllowed],
        ),
        refuses(
            "MQTT 5: quota exceeded (0x97)",
            |_| Answer::Refuse(0x97),
            &[BrokerBusy],
        ),
        refuses(
            "MQTT 5: use another server (0x9c)",
            |_| Answer::Refuse(0x9c),
            &[BrokerMoved],
        ),
        refuses(
            "MQTT 5: unspecified error (0x80)",
            |_| Answer::Refuse(0x80),
            &[LoginRefused, NotAllowed, ClientIdRefused],
        ),
        refuses(
            "MQTT 3.1.1 alone, which says so (1)",
            |login| match login.version {
                5 => Answer::RefuseInV3(1),
                _ => Answer::Accept,
            },
            &[ProtocolVersion],
        ),
        refuses(
            "MQTT 3.1.1 alone, which says so (0x84)",
            |login| match login.version {
                5 => Answer::Refuse(0x84),
                _ => Answer::Accept,
            },
            &[ProtocolVersion],
        ),
        refuses(
            "MQTT 3.1.1 alone, which closes",
            |login| match login.version {
                5 => Answer::Close,
                _ => Answer::Accept,
            },
            &[ProtocolVersion],
        ),
        refuses(
            "a close in place of an answer: the login",
            |_| Answer::Close,
            &[LoginRefused],
        ),
        refuses(
            "a close in place of an answer: the client id",
            |login| match &*login.client_id {
                CLIENT_ID => Answer::Close,
                _ => Answer::Accept,
            },
            &[ClientIdRefused],
        ),
    ]
}

/// What brokers do to a client that they have let in.
fn afterwards() -> Vec<Row> {
    use Cause::*;
    let door = |after| Door {
        login: |_| Answer::Accept,
        after,
    };
    let does = |name, after, causes: &[Cause]| Row::new(name, behind_tls(door(after)), causes);
    let unbounded = &[Unit::Bg96, Unit::Ublox];
    vec![
        does("a close behind the login", After::Close, &[]).words("closed the connection"),
        does(
            "client id in use elsewhere (0x8e)",
            After::Disconnect(0x8e),
            &[ClientIdRefused],
        ),
        does(
            "the broker shuts down (0x8b)",
            After::Disconnect(0x8b),
            &[BrokerBusy],
        ),
        does(
            "a topic that is not allowed (0x87)",
            After::Refuse(0x87),
            &[NotAllowed],
        )
        .by(mosquitto(MosquittoOptions::new().acl("topic read a/b"))),
        does(
            "silence behind the login",
            After::Silence,
            &[BrokerBusy, NetworkSlow],
        ),
        does("a record of 12 KiB", After::LongConnack(12 * 1024), &[])
            .words("record")
            .well(unbounded),
    ]
}

/// A broker that lets everybody in.
fn broker(tls: Tls) -> Server {
    Server::Tls(tls.config(), Service::Broker(Door::OPEN))
}

/// A mosquitto that is the right server and asks for no client certificate.
fn mosquitto(options: MosquittoOptions) -> Peer {
    let server = Pki::shared().issue_server([HOST]);
    Peer::Mosquitto(options.server(server).without_client_certificates())
}

fn behind_tls(door: Door) -> Server {
    let tls = Tls::new(&Pki::shared().issue_server([HOST]));
    Server::Tls(tls.config(), Service::Broker(door))
}

/// A CA with a name of its own, whose servers have certificates of an intermediate CA.
fn other_house() -> &'static Pki {
    static OTHER: std::sync::OnceLock<Pki> = std::sync::OnceLock::new();
    OTHER.get_or_init(|| {
        let builder = Pki::builder().ca_name("another CA");
        builder.organisation("another house").build()
    })
}

/// A CA that nobody knows, and which has the name of the one that is known.
fn stranger() -> &'static Pki {
    static STRANGER: std::sync::OnceLock<Pki> = std::sync::OnceLock::new();
    STRANGER.get_or_init(Pki::new)
}
