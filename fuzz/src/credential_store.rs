//! A modem that is always up, takes credentials in one form only, and keeps what it was given: so that
//! what [`sectag::Control`] makes of a credential can be looked at.

use std::convert::Infallible;

use embassy_time::Duration;
use sectag::inspect::Container;
use sectag::modem::{Abort, Credentials, Limits, Line, Modem, Plain, Step, Sync, Waits};
use sectag::{
    Accepts, At, Capabilities, Comparison, ConnectError, CredentialError, Kind, Source, Stored,
    Tag, TlsConfig,
};

/// Takes PEM, or DER if `DER`.
pub struct CredentialStore<const DER: bool> {
    content: Vec<u8>,
    /// The most that it takes at a time.
    chunk: usize,
}

impl<const DER: bool> CredentialStore<DER> {
    pub fn new(chunk: usize) -> Self {
        Self {
            content: Vec::new(),
            chunk,
        }
    }

    /// What was stored last.
    pub fn content(&self) -> Vec<u8> {
        self.content.clone()
    }
}

impl<const DER: bool> Modem for CredentialStore<DER> {
    type Framing = Plain;

    const NAME: &'static str = "credential store";
    const LIMITS: Limits = Limits {
        ids: 1,
        max_receive: 16,
        max_send: 16,
        sockets: 1,
    };
    const SYNC: Sync = Sync {
        answer: "+S:",
        command: "AT+S?",
    };
    const POWER_OFF_LIMIT: Duration = Duration::from_secs(1);

    fn line(&mut self, _: &[u8], _: &[u8]) -> Line {
        Line::Info
    }

    /// Whatever it is asked to do, it has done.
    fn script(_: u8) -> &'static [Step<Self>] {
        &[]
    }

    fn admit(&self, _: &TlsConfig) -> Result<(), ConnectError> {
        Ok(())
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::UNKNOWN
    }

    fn abort(_: Waits) -> Abort {
        Abort::Restart
    }
}

impl<const DER: bool> Credentials for CredentialStore<DER> {
    const ACCEPTS: Accepts = Accepts {
        container: Some(if DER { Container::Der } else { Container::Pem }),
        roots: u16::MAX,
        chain: u16::MAX,
        len: usize::MAX,
        self_signed_root: false,
    };

    async fn store<S: Source>(
        at: &At<'_, Self>,
        _: Tag,
        _: Kind,
        content: &mut S,
    ) -> Result<(), CredentialError<S::Error>> {
        let size = at.modem(|store| store.chunk);
        let mut all = Vec::new();
        loop {
            let mut chunk = vec![0; size];
            let read = content.read_at(all.len(), &mut chunk).await;
            match read.map_err(CredentialError::Source)? {
                0 => break,
                count => all.extend(&chunk[..count]),
            }
        }
        assert_eq!(all.len(), content.len(), "the announced length");
        at.modem(|store| store.content = all);
        Ok(())
    }

    async fn compare<S: Source>(
        _: &At<'_, Self>,
        _: Tag,
        _: Kind,
        _: &mut S,
    ) -> Result<Comparison, CredentialError<S::Error>> {
        Ok(Comparison::Absent)
    }

    async fn read_back(
        _: &At<'_, Self>,
        _: Tag,
        _: Kind,
        _: &mut dyn FnMut(&[u8]),
    ) -> Result<bool, CredentialError<Infallible>> {
        Ok(false)
    }

    async fn list(
        _: &At<'_, Self>,
        _: &mut dyn FnMut(Stored),
    ) -> Result<(), CredentialError<Infallible>> {
        Ok(())
    }

    async fn remove(_: &At<'_, Self>, _: Tag, _: Kind) -> Result<(), CredentialError<Infallible>> {
        Ok(())
    }
}
