//! MQTT 5 over a modem's TLS socket: rust-mqtt, with time limits, pings and our errors.

use std::num::NonZero;
use std::time::{SystemTime, UNIX_EPOCH};

use embassy_futures::select::{Either, select};
use embassy_time::{Duration, Instant, Timer, with_timeout};
use rust_mqtt::Bytes;
use rust_mqtt::buffer::AllocBuffer;
use rust_mqtt::client::event::{Event, Publish};
use rust_mqtt::client::options::{
    ConnectOptions, DisconnectOptions, PublicationOptions, SubscriptionOptions, TopicReference,
};
use rust_mqtt::client::{Client as Protocol, MqttError};
use rust_mqtt::config::KeepAlive;
use rust_mqtt::types::{
    IdentifiedQoS, MqttBinary, MqttString, PacketIdentifier, QoS, TopicFilter, TopicName,
};
use sectag::clock::DateTime;
use sectag::jwt::Claims;
use sectag::{SecureSocket, SocketError};

use crate::args::LoginArgs;
use crate::credential_file::{self, CredentialFile};
use crate::heard::{Heard, Words};
use crate::hints::{self, Failure};
use crate::mqtt_error::Error;
use crate::report::Report;
use crate::secret;
use crate::signing::HostKey;

/// For one answer of the broker. A cellular round trip takes up to some seconds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The longest packet that is received, with everything that belongs to it. The broker is told, and then sends nothing
/// longer and says nothing of it.
pub(crate) const RECEIVE_LIMIT: u32 = 16 * 1024 * 1024;

/// A broker ends a connection on which it has heard nothing for one and a half of these.
const KEEP_ALIVE: u16 = 60;

/// The time between two pings, which keep the connection and show that the broker is there.
const PING_EVERY: Duration = Duration::from_secs(KEEP_ALIVE as u64 / 2);

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

/// A message that has come.
pub(crate) struct Message(Publish<'static, 0, 0>);

impl Message {
    pub(crate) fn topic(&self) -> &str {
        // Without a name come only those with an alias, of which the broker was allowed none.
        self.0
            .topic
            .name()
            .map_or("", |name| name.as_ref().as_str())
    }

    pub(crate) fn payload(&self) -> &[u8] {
        self.0.message.as_bytes()
    }

    pub(crate) fn qos(&self) -> u64 {
        match self.0.identified_qos {
            IdentifiedQoS::AtMostOnce => 0,
            IdentifiedQoS::AtLeastOnce(_) => 1,
            IdentifiedQoS::ExactlyOnce(_) => 2,
        }
    }

    pub(crate) fn retained(&self) -> bool {
        self.0.retain
    }
}

/// One SUBSCRIBE and one PUBLISH at a time, 16 messages from the broker that are not acknowledged yet, no properties.
type Connection<S> = Protocol<'static, 'static, Heard<S>, AllocBuffer, 1, 16, 1, 0, 0, 0, 0>;

/// Logs in. `patience` is for each answer of the broker, from here on.
pub(crate) async fn connect<S: SecureSocket<Error = SocketError>>(
    login: &Login,
    socket: S,
    patience: Duration,
) -> Result<Client<S>, Failure> {
    const DOING: &str = hints::CONNECT;
    let client_id = text("--client-id", &login.client_id)?;
    let mut options = ConnectOptions::new()
        .clean_start()
        .request_problem_information();
    if let Some(seconds) = NonZero::new(KEEP_ALIVE) {
        options = options.keep_alive(KeepAlive::Seconds(seconds));
    }
    if let Some(limit) = NonZero::new(RECEIVE_LIMIT) {
        options = options.maximum_packet_size(limit);
    }
    if let Some((name, password)) = &login.user {
        let password = MqttBinary::try_from(password.as_str())
            .map_err(|_| Failure::new("--password: it is too long for MQTT"))?;
        options = options
            .user_name(text("--username", name)?)
            .password(password);
    }
    let socket = Heard::new(socket);
    let words = socket.words();
    // It has no size: nothing is leaked.
    let mut connection = Connection::new(Box::leak(Box::new(AllocBuffer)));
    let logged_in = connection.connect(socket, &options, Some(client_id));
    match with_timeout(patience, logged_in).await {
        Ok(Ok(_)) => Ok(Client {
            connection,
            words,
            patience,
            ping_at: Instant::now() + PING_EVERY,
            pinged: false,
        }),
        // Where the broker has said why, that counts.
        Ok(Err(error)) => {
            let error = told(error, &words);
            Err(match words.refusal().or(hints::login_failure(&error)) {
                Some(failure) => hints::login(failure),
                None => hints::mqtt(DOING, &error),
            })
        }
        Err(_) => Err(hints::mqtt_silence(DOING, patience.as_secs())),
    }
}

/// Logs in, and leaves in order.
pub(crate) async fn try_login<S: SecureSocket<Error = SocketError>>(
    login: &Login,
    socket: S,
) -> Result<(), Failure> {
    connect(login, socket, PATIENCE).await?.close().await
}

/// A connection to a broker that has let us in.
pub(crate) struct Client<S: SecureSocket<Error = SocketError>> {
    connection: Connection<S>,
    words: Words,
    patience: Duration,
    ping_at: Instant,
    /// The last ping is not answered yet.
    pinged: bool,
}

impl<S: SecureSocket<Error = SocketError>> Client<S> {
    /// Subscribes, and returns once the broker has agreed. Messages that come before that go to `seen`.
    pub(crate) async fn subscribe(
        &mut self,
        filter: &str,
        qos: QoS,
        seen: impl FnMut(&Message) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        const DOING: &str = "MQTT SUBSCRIBE";
        let filter = TopicFilter::new(text("--topic", filter)?)
            .ok_or_else(|| Failure::new("--topic: that is no filter for topics"))?;
        let options = SubscriptionOptions::new().qos(qos);
        let words = self.words.clone();
        let asked = self.connection.subscribe(filter, &options);
        let asked = async { asked.await.map_err(|error| told(error, &words)) };
        let id = in_time(DOING, self.patience, &words, asked).await?;
        self.settle(DOING, seen, |event| match event {
            Event::Suback(answer) if answer.packet_identifier == id => {
                Some(accepted(answer.reason_code.value()))
            }
            _ => None,
        })
        .await
    }

    /// Publishes; at QoS 1 and 2, returns once the broker has acknowledged. Messages that come before that go to
    /// `seen`.
    pub(crate) async fn publish(
        &mut self,
        topic: &str,
        payload: &[u8],
        (qos, retain): (QoS, bool),
        seen: impl FnMut(&Message) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        const DOING: &str = "MQTT PUBLISH";
        let topic = TopicName::new(text("--topic", topic)?)
            .ok_or_else(|| Failure::new("--topic: a message has one topic, without + and #"))?;
        let mut options = PublicationOptions::new(TopicReference::Name(topic)).qos(qos);
        if retain {
            options = options.retain();
        }
        // Only when all of it has gone out does the broker answer.
        let on_the_way = Duration::from_secs((payload.len() / SLOWEST) as u64);
        let words = self.words.clone();
        let published = self.connection.publish(&options, Bytes::from(payload));
        let published = async { published.await.map_err(|error| told(error, &words)) };
        let id: Option<PacketIdentifier> =
            in_time(DOING, self.patience + on_the_way, &words, published).await?;
        let Some(id) = id else {
            return Ok(());
        };
        self.settle(DOING, seen, |event| match event {
            Event::PublishAcknowledged(answer) | Event::PublishComplete(answer)
                if answer.packet_identifier == id =>
            {
                Some(Ok(()))
            }
            Event::PublishRejected(answer) | Event::PublishAborted(answer)
                if answer.packet_identifier == id =>
            {
                Some(Err(Error::Rejected(answer.reason_code.value())))
            }
            _ => None,
        })
        .await
    }

    /// Waits for the next message, for ever. When it is dropped meanwhile, nothing can be done on the connection but
    /// [`close`](Self::close).
    pub(crate) async fn receive(&mut self) -> Result<Message, Failure> {
        const DOING: &str = "waiting for messages";
        loop {
            match self.event().await {
                Ok(Event::Publish(message)) => return Ok(Message(message)),
                Ok(_) => {}
                Err(error) => return Err(ended(DOING, &error, &self.words)),
            }
        }
    }

    /// Says good-bye and closes the connection, also in the modem.
    pub(crate) async fn close(mut self) -> Result<(), Failure> {
        let words = self.words.clone();
        let options = DisconnectOptions::new();
        let said = self.connection.disconnect(&options);
        let said = async { said.await.map_err(|error| told(error, &words)) };
        let mut socket = in_time("MQTT DISCONNECT", self.patience, &words, said).await?;
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

    /// The next event, and pings meanwhile.
    async fn event(&mut self) -> Result<Event<'static, 0, 0>, Error> {
        let header = loop {
            match select(self.connection.poll_header(), Timer::at(self.ping_at)).await {
                Either::First(header) => break header.map_err(|error| told(error, &self.words))?,
                Either::Second(()) if self.pinged => return Err(Error::Silent),
                Either::Second(()) => {
                    let pinged = self.connection.ping().await;
                    pinged.map_err(|error| told(error, &self.words))?;
                    self.pinged = true;
                    self.ping_at = Instant::now() + PING_EVERY;
                }
            }
        };
        // Whatever comes shows that the broker is there.
        self.pinged = false;
        let event = self.connection.poll_body(header).await;
        event.map_err(|error| told(error, &self.words))
    }

    /// Waits until `end` finds the answer among the events.
    async fn settle(
        &mut self,
        doing: &str,
        mut seen: impl FnMut(&Message) -> Result<(), Failure>,
        end: impl Fn(&Event<'static, 0, 0>) -> Option<Result<(), Error>>,
    ) -> Result<(), Failure> {
        let (patience, words) = (self.patience, self.words.clone());
        in_time(doing, patience, &words, async {
            loop {
                let event = self.event().await?;
                if let Some(answer) = end(&event) {
                    return answer.map(Ok);
                }
                if let Event::Publish(message) = event
                    && let Err(failure) = seen(&Message(message))
                {
                    return Ok(Err(failure));
                }
            }
        })
        .await?
    }
}

/// A text of MQTT.
fn text<'t>(option: &str, text: &'t str) -> Result<MqttString<'t>, Failure> {
    MqttString::try_from(text).map_err(|_| {
        Failure::new(format!(
            "{option}: MQTT has room for {TEXT_LIMIT} bytes, none of them zero"
        ))
    })
}

/// A reason code of an answer.
fn accepted(code: u8) -> Result<(), Error> {
    if code < 0x80 {
        Ok(())
    } else {
        Err(Error::Rejected(code))
    }
}

/// The error of the protocol, with the socket's own where it was that.
fn told(error: MqttError<'_, 0>, words: &Words) -> Error {
    match error {
        MqttError::Network(_) => match words.trouble() {
            Some(error) => Error::Transport(error),
            None => Error::Closed,
        },
        MqttError::Disconnect { .. } => Error::Closed,
        MqttError::Server => Error::NotMqtt,
        MqttError::PacketMaximumLengthExceeded | MqttError::ServerMaximumPacketSizeExceeded => {
            Error::TooLong
        }
        MqttError::UnsupportedByServer => Error::Unsupported,
        error => Error::Other(format!("{error:?}")),
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

async fn in_time<T>(
    doing: &str,
    patience: Duration,
    words: &Words,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Failure> {
    match with_timeout(patience, work).await {
        Ok(result) => result.map_err(|error| ended(doing, &error, words)),
        Err(_) => Err(hints::mqtt_silence(doing, patience.as_secs())),
    }
}

/// With the broker's own words, where it has sent some before the end.
fn ended(doing: &str, error: &Error, words: &Words) -> Failure {
    let is_end = matches!(error, Error::Closed | Error::Transport(_));
    match words.farewell() {
        Some(reason) if is_end => hints::farewell(doing, reason),
        _ => hints::mqtt(doing, error),
    }
}
