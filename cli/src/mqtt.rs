//! MQTT 5 over a modem's TLS socket: minimq, with time limits and our errors.

use std::time::{SystemTime, UNIX_EPOCH};

use embassy_time::{Duration, with_timeout};
use minimq::{
    Buffers, ConfigBuilder, Connection, InboundPublish, Op, PubError, Publication, QoS, Session,
    SubscriptionOptions, TopicFilter,
};
use sectag::clock::DateTime;
use sectag::jwt::Claims;
use sectag::{SecureSocket, SocketError};

use crate::args::LoginArgs;
use crate::credential_file::{self, CredentialFile};
use crate::heard::{Heard, Words};
use crate::hints::{self, Failure};
use crate::report::Report;
use crate::secret;
use crate::signing::HostKey;

/// For one answer of the broker. A cellular round trip takes up to some seconds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The longest packet that is received, with everything that belongs to it. minimq tells the broker, which then sends
/// nothing longer and says nothing of it.
pub(crate) const RECEIVE_LIMIT: usize = 16 * 1024 * 1024;

/// Room for what goes out beside a payload: a login has three texts of up to 64 KiB, a message a topic.
const SEND_ROOM: usize = 256 * 1024;

/// MQTT gives the length of a text in 16 bits.
const TEXT_LIMIT: usize = 65_535;

/// What a modem sends at the slowest, in bytes a second: time that a long message takes before the broker can answer.
const SLOWEST: usize = 1000;

/// Who logs in.
pub(crate) struct Login {
    pub(crate) client_id: String,
    pub(crate) user: Option<(String, String)>,
    /// What signs the password, once the modem's clock is known.
    pub(crate) token: Option<TokenLogin>,
}

/// A login by token.
pub(crate) struct TokenLogin {
    key: HostKey,
    audience: String,
    lifetime: u32,
}

impl TokenLogin {
    fn from_args(args: &LoginArgs) -> Result<Option<Self>, Failure> {
        let (Some(path), Some(audience)) = (&args.jwt_key, &args.jwt_aud) else {
            return Ok(None);
        };
        Ok(Some(Self {
            key: HostKey::read(path)?,
            audience: audience.clone(),
            lifetime: args.jwt_ttl,
        }))
    }

    /// Whether the key that signs is that of this certificate.
    pub(crate) async fn is_key_of(&self, certificate: &CredentialFile) -> Result<bool, Failure> {
        let key = self.key.to_pkcs8()?;
        Ok(credential_file::is_pair(certificate, key.expose()).await)
    }
}

impl Login {
    pub(crate) fn from_args(args: &LoginArgs, report: &Report) -> Result<Self, Failure> {
        let token = TokenLogin::from_args(args)?;
        let user = match &args.username {
            // Brokers that take tokens ignore the name, and MQTT 3.1.1 wants one beside a password.
            None if token.is_some() => Some(("unused".into(), String::new())),
            Some(name) if token.is_some() => Some((name.clone(), String::new())),
            None => None,
            Some(name) => {
                let password = secret::resolve(
                    "--password",
                    args.password.as_deref(),
                    "SECTAG_PASSWORD",
                    report,
                )?;
                let password = password.unwrap_or_default();
                if password.len() > TEXT_LIMIT {
                    return Err(Failure::new(format!(
                        "--password: {} bytes, and MQTT has room for {TEXT_LIMIT}",
                        password.len()
                    )));
                }
                Some((name.clone(), password))
            }
        };
        Ok(Self {
            client_id: args.client_id.clone().unwrap_or_else(random_client_id),
            user,
            token,
        })
    }

    /// Signs the token, valid from `now` on, and returns what it claims, in words.
    pub(crate) async fn sign(&mut self, now: DateTime) -> Result<Option<String>, Failure> {
        let (Some(token), Some((_, password))) = (&mut self.token, &mut self.user) else {
            return Ok(None);
        };
        let claims = Claims::new(&token.audience).lifetime(token.lifetime);
        *password = token.key.token(&claims, now).await?;
        Ok(Some(format!(
            "{} with a key {}, for {}, valid for {} s from {now} on",
            token.key.algorithm().name(),
            token.key.kind(),
            token.audience,
            token.lifetime
        )))
    }
}

/// Two clients of one id throw each other out, so it must differ from run to run.
pub(crate) fn random_client_id() -> String {
    let nanos = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.subsec_nanos());
    format!("sectag-{}-{nanos:08x}", std::process::id())
}

/// The memory of a session.
pub(crate) struct Memory {
    receive: Vec<u8>,
    send: Vec<u8>,
}

impl Memory {
    /// For messages of up to `payload` bytes.
    pub(crate) fn new(payload: usize) -> Self {
        Self {
            // Zeroed by the system when it is first touched, so that what is not used costs nothing.
            receive: vec![0; RECEIVE_LIMIT],
            send: vec![0; SEND_ROOM + payload],
        }
    }

    pub(crate) fn session<'b>(&'b mut self, login: &'b Login) -> Result<Session<'b>, Failure> {
        let buffers = Buffers::new(&mut self.receive, &mut self.send);
        let mut config = ConfigBuilder::new(buffers)
            .client_id(&login.client_id)
            .map_err(|error| Failure::new(format!("--client-id: {error}")))?;
        if let Some((name, password)) = &login.user {
            config = config
                .auth(name, password.as_bytes())
                .map_err(|error| Failure::new(format!("--username: {error}")))?;
        }
        Ok(Session::new(config))
    }
}

/// Logs in. `patience` is for each answer of the broker, from here on.
pub(crate) async fn connect<'s, 'b, S: SecureSocket<Error = SocketError>>(
    session: &'s mut Session<'b>,
    socket: S,
    patience: Duration,
) -> Result<Client<'s, 'b, S>, Failure> {
    const DOING: &str = hints::CONNECT;
    let socket = Heard::new(socket);
    let words = socket.words();
    match with_timeout(patience, session.connect(socket)).await {
        Ok(Ok(connection)) => Ok(Client {
            connection,
            words,
            patience,
        }),
        // Where the broker has said why, that counts.
        Ok(Err(error)) => Err(match words.refusal().or(hints::login_failure(&error)) {
            Some(failure) => hints::login(failure),
            None => hints::mqtt(DOING, &error),
        }),
        Err(_) => Err(hints::mqtt_silence(DOING, patience.as_secs())),
    }
}

/// Logs in, and leaves in order.
pub(crate) async fn try_login<S: SecureSocket<Error = SocketError>>(
    login: &Login,
    socket: S,
) -> Result<(), Failure> {
    let mut memory = Memory::new(0);
    let mut session = memory.session(login)?;
    connect(&mut session, socket, PATIENCE).await?.close().await
}

/// A connection to a broker that has let us in.
pub(crate) struct Client<'s, 'b, S: SecureSocket<Error = SocketError>> {
    connection: Connection<'s, 'b, Heard<S>>,
    words: Words,
    patience: Duration,
}

impl<S: SecureSocket<Error = SocketError>> Client<'_, '_, S> {
    /// Subscribes, and returns once the broker has agreed. Messages that come before that go to `seen`.
    pub(crate) async fn subscribe(
        &mut self,
        filter: &str,
        qos: QoS,
        seen: impl FnMut(&InboundPublish<'_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        const DOING: &str = "MQTT SUBSCRIBE";
        let options = SubscriptionOptions::default().maximum_qos(qos);
        let filters = [TopicFilter::new(filter).options(options)];
        let asked = self.connection.subscribe(&filters, &[]);
        let op = in_time(DOING, self.patience, &self.words, asked).await?;
        self.settle(&op, DOING, seen).await
    }

    /// Publishes; at QoS 1 and 2, returns once the broker has acknowledged. Messages that come before that go to
    /// `seen`.
    pub(crate) async fn publish(
        &mut self,
        (message, message_len): (Publication<'_, &[u8]>, usize),
        seen: impl FnMut(&InboundPublish<'_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        const DOING: &str = "MQTT PUBLISH";
        // Only when all of it has gone out does the broker answer.
        let on_the_way = Duration::from_secs((message_len / SLOWEST) as u64);
        let published = async {
            let published = self.connection.publish(message).await;
            published.map_err(|error| match error {
                PubError::Session(error) => error,
                // A byte slice fails to serialise only for want of room.
                PubError::Payload(()) => {
                    minimq::Error::Resource(minimq::ResourceError::BufferTooSmall)
                }
            })
        };
        match in_time(DOING, self.patience + on_the_way, &self.words, published).await? {
            None => Ok(()),
            Some(op) => self.settle(&op, DOING, seen).await,
        }
    }

    /// Waits for the next message, for ever. Cancel-safe.
    pub(crate) async fn receive(&mut self) -> Result<InboundPublish<'_>, Failure> {
        let words = &self.words;
        let received = self.connection.recv().await;
        received.map_err(|error| ended("waiting for messages", &error, words))
    }

    /// Says good-bye and closes the connection, also in the modem.
    pub(crate) async fn close(mut self) -> Result<(), Failure> {
        let said = self.connection.disconnect();
        in_time("MQTT DISCONNECT", self.patience, &self.words, said).await?;
        let mut socket = self.connection.into_inner();
        match with_timeout(PATIENCE, socket.finish()).await {
            // The broker may close as soon as it has read the DISCONNECT.
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) if error.is_closed_by_peer() => Ok(()),
            Ok(Err(error)) => Err(hints::socket("closing the connection", &error)),
            Err(_) => Err(Failure::new(
                "closing the connection: the modem did not confirm it in time",
            )),
        }
    }

    async fn settle(
        &mut self,
        op: &Op,
        doing: &str,
        mut seen: impl FnMut(&InboundPublish<'_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut result = Ok(());
        in_time(doing, self.patience, &self.words.clone(), async {
            while self.connection.is_pending(op) && result.is_ok() {
                if let Some(message) = self.connection.poll().await? {
                    result = seen(&message);
                }
            }
            Ok(())
        })
        .await?;
        result
    }
}

/// Of an option that was checked to be 0, 1 or 2.
pub(crate) fn qos(level: u8) -> QoS {
    match level {
        0 => QoS::AtMostOnce,
        1 => QoS::AtLeastOnce,
        _ => QoS::ExactlyOnce,
    }
}

/// A message to publish, and the length of its payload.
pub(crate) fn message<'a>(
    topic: &'a str,
    payload: &'a [u8],
    qos: QoS,
    retain: bool,
) -> (Publication<'a, &'a [u8]>, usize) {
    let message = Publication::bytes(topic, payload).qos(qos);
    let message = if retain { message.retain() } else { message };
    (message, payload.len())
}

async fn in_time<T>(
    doing: &str,
    patience: Duration,
    words: &Words,
    work: impl Future<Output = Result<T, minimq::Error<SocketError>>>,
) -> Result<T, Failure> {
    match with_timeout(patience, work).await {
        Ok(result) => result.map_err(|error| ended(doing, &error, words)),
        Err(_) => Err(hints::mqtt_silence(doing, patience.as_secs())),
    }
}

/// With the broker's own words, where it has sent some before the end.
fn ended(doing: &str, error: &minimq::Error<SocketError>, words: &Words) -> Failure {
    let is_end = matches!(
        error,
        minimq::Error::Disconnected | minimq::Error::Transport(_)
    );
    match words.farewell() {
        Some(reason) if is_end => hints::farewell(doing, reason),
        _ => hints::mqtt(doing, error),
    }
}
