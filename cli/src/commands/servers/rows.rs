//! What can stand behind a name and a port, and which device asks.

use sectag::{Cause, Kind};
use sectag_test_support::pki::{Identity, Pki, ServerKey, Validity};
use sectag_test_support::servers::{After, Answer, Door, Login, Server, Service, Tls};

use super::{HOST, Unit};

pub(super) const CLIENT_ID: &str = "device-17";
pub(super) const USER: &str = "device";

/// A row of the table.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) server: Server,
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
    let broker = |tls: Tls| Server::Tls(tls.config(), Service::Broker(Door::OPEN));
    let all = &super::MODEMS;
    vec![
        Row::new("a broker as it should be", broker(good()), &[]).well(all),
        Row::new(
            "a name without address",
            Server::Closes,
            &[NameUnknown, NameUnknownHere],
        )
        .place(Place::OtherName),
        Row::new("nothing listens", Server::Closes, &[Unreachable]).place(Place::OtherPort),
        Row::new("silence", Server::Silent, &[NetworkSlow]),
        Row::new("an immediate close", Server::Closes, &[PeerClosed]),
        Row::new("MQTT without TLS", Server::Broker(Door::OPEN), &[NotTls]),
        Row::new("HTTP", Server::Answers(HTTP), &[NotTls]),
        Row::new("SSH", Server::Greets(b"SSH-2.0-OpenSSH_9.6\r\n"), &[NotTls]),
        Row::new("SMTP", Server::Greets(b"220 mail ESMTP\r\n"), &[NotTls]),
        Row::new("TLS 1.3 alone", broker(good().only_1_3()), &[NoCommonSuite]),
        Row::new(
            "TLS 1.1 at most",
            Server::Answers(ALERT_VERSION),
            &[NoCommonSuite],
        ),
        Row::new(
            "no common cipher suite",
            broker(good().suites(CHACHA)),
            &[NoCommonSuite],
        ),
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
    let broker = |tls: Tls| Server::Tls(tls.config(), Service::Broker(Door::OPEN));
    let shows = |identity: &Identity| broker(Tls::new(identity));
    let keyed = |key| shows(&pki.issue_server_of([HOST], key));
    let ecdsa = &[Unit::Slm, Unit::Native, Unit::SerialModem, Unit::Ublox];
    let house = other_house();
    let (behind, intermediate) = (
        house.issue_behind_intermediate([HOST]),
        house.intermediate_pem(),
    );
    let many: Vec<String> = [HOST.to_owned()]
        .into_iter()
        .chain((0..200).map(|number| format!("{number}.of.many.sectag.test")))
        .collect();
    let unbounded = &[Unit::Bg96, Unit::Native, Unit::Ublox];
    let mut rows = vec![
        Row::new(
            "a key of ECDSA P-256",
            keyed(ServerKey::EcdsaP256),
            &[ServerKeyUnsupported],
        )
        .well(ecdsa),
        Row::new(
            "a key of ECDSA P-384",
            keyed(ServerKey::EcdsaP384),
            &[ServerKeyUnsupported],
        )
        .well(ecdsa),
        Row::new(
            "a key of Ed25519",
            keyed(ServerKey::Ed25519),
            &[ServerKeyUnsupported],
        ),
        Row::new(
            "an intermediate that is not sent",
            shows(&behind),
            &[ChainIncomplete],
        )
        .ca(house.ca_pem()),
        Row::new(
            "an intermediate that is sent",
            broker(Tls::new(&behind).chain(&[&intermediate])),
            &[],
        )
        .ca(house.ca_pem()),
        Row::new(
            "a chain the wrong way round",
            broker(Tls::new(&behind).chain(&[&intermediate]).reversed()),
            &[ChainIncomplete],
        )
        .ca(house.ca_pem()),
        Row::new(
            "a certificate above 4 KiB",
            shows(&pki.issue_server(&many)),
            &[ChainTooLong],
        )
        .well(unbounded),
        Row::new(
            "an expired certificate",
            shows(&pki.issue_server_valid([HOST], Validity::expired())),
            &[CertificateExpired],
        ),
        Row::new(
            "a certificate of the future",
            shows(&pki.issue_server_valid([HOST], Validity::not_yet())),
            &[CertificateNotYetValid],
        ),
        Row::new(
            "a certificate for another name",
            shows(&pki.issue_server(["another.sectag.test"])),
            &[NameMismatch],
        ),
        Row::new(
            "another CA of the same name",
            shows(&pki.issue_server([HOST])),
            &[CaMismatch],
        )
        .ca(stranger().ca_pem()),
        Row::new(
            "another CA",
            shows(&pki.issue_server([HOST])),
            &[CaMismatch],
        )
        .ca(other_house().ca_pem()),
        Row::new(
            "another CA and another name",
            shows(&pki.issue_server(["another.sectag.test"])),
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
    let server = || Tls::new(&pki.issue_server([HOST]));
    let broker = |tls: Tls| Server::Tls(tls.config(), Service::Broker(Door::OPEN));
    let mutual = || broker(server().for_clients_of(&pki.ca_pem()));
    let client = pki.client();
    let mixed = Identity {
        cert_pem: client.cert_pem.clone(),
        key_pem: pki.server().key_pem.clone(),
    };
    let mut rows = vec![
        Row::new("a client certificate is shown", mutual(), &[]).client(client),
        Row::new(
            "a client certificate is missing",
            mutual(),
            &[ClientCertificateNeeded],
        ),
        Row::new(
            "a client certificate of another CA",
            broker(server().for_clients_of(&stranger().ca_pem())),
            &[ClientCertificateRefused],
        )
        .client(client),
        Row::new(
            "an expired client certificate",
            mutual(),
            &[ClientCertificateRefused],
        )
        .client(&pki.issue_client_valid(CLIENT_ID, Validity::expired()))
        .words("client certificate of this computer expired"),
        Row::new(
            "a key of another certificate, here too",
            mutual(),
            &[ClientKeyMismatch],
        )
        .client(&mixed)
        .words("made together"),
    ];
    let mut row = Row::new(
        "a key of another certificate, in the modem alone",
        mutual(),
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
        ),
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
        ),
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
