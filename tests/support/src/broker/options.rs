use std::collections::HashMap;

/// The protocol that a [`Broker`](super::Broker) speaks on its TLS port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MqttVersion {
    /// MQTT 3.1.1.
    V4,
    /// MQTT 5.
    #[default]
    V5,
}

/// The settings of a [`Broker`](super::Broker).
#[derive(Clone, Debug, Default)]
pub struct BrokerOptions {
    pub(super) version: MqttVersion,
    pub(super) users: Option<HashMap<String, String>>,
    pub(super) log: bool,
}

impl BrokerOptions {
    /// MQTT 5 on the TLS port, no logins, no log.
    pub fn new() -> Self {
        Self::default()
    }

    /// The protocol of the TLS port.
    pub fn version(self, version: MqttVersion) -> Self {
        Self { version, ..self }
    }

    /// Accepts this login; as soon as there is one, others are refused, on the plain ports as well.
    pub fn user(mut self, name: impl Into<String>, password: impl Into<String>) -> Self {
        self.users
            .get_or_insert_default()
            .insert(name.into(), password.into());
        self
    }

    /// Lets rumqttd log through `tracing` or, without a subscriber, through `log`.
    ///
    /// The first broker of a process that does not ask for this silences `tracing` for the whole process, unless a
    /// subscriber was set before.
    pub fn log(self) -> Self {
        Self { log: true, ..self }
    }
}
