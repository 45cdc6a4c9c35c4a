use std::collections::HashMap;

/// The settings of a [`Broker`](super::Broker).
#[derive(Clone, Debug, Default)]
pub struct BrokerOptions {
    pub(super) users: Option<HashMap<String, String>>,
}

impl BrokerOptions {
    /// No logins.
    pub fn new() -> Self {
        Self::default()
    }

    /// Accepts this login; as soon as there is one, others are refused, on the plain port as well.
    pub fn user(mut self, name: impl Into<String>, password: impl Into<String>) -> Self {
        self.users
            .get_or_insert_default()
            .insert(name.into(), password.into());
        self
    }

    /// Whether this login is let in.
    pub(super) fn admits(&self, user: Option<&str>, password: Option<&[u8]>) -> bool {
        match &self.users {
            None => true,
            Some(users) => {
                let expected = user.and_then(|user| users.get(user));
                expected.is_some_and(|expected| Some(expected.as_bytes()) == password)
            }
        }
    }
}
