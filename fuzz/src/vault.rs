//! A modem that is always up, takes credentials in one form only, and keeps what it was given: so that
//! what [`sectag::CredentialStore`] makes of a credential can be looked at.

use std::cell::RefCell;
use std::convert::Infallible;

use embassy_time::Duration;
use sectag::clock::DateTime;
use sectag::inspect::Container;
use sectag::modem::{Abort, Limits, Line, Modem, Open, Phase, Received, Sent, Sync, Transfer};
use sectag::{
    Accepts, At, AtError, BringUpError, Capabilities, Code, Comparison, ConnectError,
    CredentialError, Edrx, Forbidden, Kind, Power, PowerSaving, SimCard, Source, Status, Stored,
    Tag, Technology, TlsConfig, Verification,
};

/// Takes PEM, or DER if `DER`.
pub struct Vault<const DER: bool> {
    content: RefCell<Vec<u8>>,
    /// The most that it takes at a time.
    chunk: usize,
}

impl<const DER: bool> Vault<DER> {
    pub fn new(chunk: usize) -> Self {
        Self {
            content: RefCell::default(),
            chunk,
        }
    }

    /// What was stored last.
    pub fn content(&self) -> Vec<u8> {
        self.content.borrow().clone()
    }
}

impl<const DER: bool> Modem for Vault<DER> {
    const ACCEPTS: Accepts = Accepts {
        container: Some(if DER { Container::Der } else { Container::Pem }),
        roots: u16::MAX,
        chain: u16::MAX,
    };
    const LIMITS: Limits = Limits {
        ids: 1,
        max_receive: 16,
        max_send: 16,
        sockets: 1,
    };
    const NAME: &'static str = "vault";
    const POWER_OFF_LIMIT: Duration = Duration::from_secs(1);
    const FORBIDDEN: &'static [Forbidden] = &[];
    const SECRET: &'static [&'static str] = &[];
    const SYNC: Sync = Sync {
        answer: "+S:",
        command: "AT+S?\r",
    };

    fn line(&self, _: &[u8], _: &[u8]) -> Line {
        Line::Info
    }

    fn abort(&self, _: Phase) -> Abort {
        Abort::Restart
    }

    async fn bring_up(&self, _: &mut At<'_>, _: &mut dyn Power) -> Result<(), BringUpError> {
        Ok(())
    }

    async fn tidy(&self, _: At<'_>) -> Result<(), AtError> {
        Ok(())
    }

    fn admit(&self, _: &TlsConfig) -> Result<(), ConnectError> {
        Ok(())
    }

    async fn open(&self, _: At<'_>, _: Open<'_>) -> Result<Verification, ConnectError> {
        Err(ConnectError::TimedOut)
    }

    async fn send(&self, _: At<'_>, _: Transfer) -> Result<Sent, AtError> {
        Err(AtError::Unsupported)
    }

    async fn receive(&self, _: At<'_>, _: Transfer) -> Result<Received, AtError> {
        Err(AtError::Unsupported)
    }

    async fn is_open(&self, _: At<'_>, _: u8) -> Result<bool, AtError> {
        Ok(false)
    }

    async fn close(&self, _: At<'_>, _: u8) -> Result<(), AtError> {
        Ok(())
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::UNKNOWN
    }

    async fn explain(&self, _: At<'_>, _: &str, code: Code) -> Code {
        code
    }

    async fn power_off(&self, _: At<'_>) -> Result<(), AtError> {
        Err(AtError::Unsupported)
    }

    async fn set_power_saving(&self, _: At<'_>, _: Option<PowerSaving>) -> Result<(), AtError> {
        Err(AtError::Unsupported)
    }

    async fn power_saving(&self, _: At<'_>) -> Result<Option<PowerSaving>, AtError> {
        Err(AtError::Unsupported)
    }

    async fn set_edrx(&self, _: At<'_>, _: Technology, _: Option<Edrx>) -> Result<(), AtError> {
        Err(AtError::Unsupported)
    }

    async fn edrx(&self, _: At<'_>) -> Result<Option<Edrx>, AtError> {
        Err(AtError::Unsupported)
    }

    async fn status(&self, _: At<'_>, _: &mut Status) {}

    async fn sim(&self, _: At<'_>) -> Result<SimCard, AtError> {
        Err(AtError::Unsupported)
    }

    async fn clock(&self, _: At<'_>) -> Result<Option<DateTime>, AtError> {
        Ok(None)
    }

    async fn set_clock(&self, _: At<'_>, _: DateTime) -> Result<(), AtError> {
        Err(AtError::Unsupported)
    }

    async fn store<S: Source>(
        &self,
        _: At<'_>,
        _: Tag,
        _: Kind,
        content: &mut S,
    ) -> Result<(), CredentialError<S::Error>> {
        let mut all = Vec::new();
        loop {
            let mut chunk = vec![0; self.chunk];
            let read = content.read_at(all.len(), &mut chunk).await;
            match read.map_err(CredentialError::Source)? {
                0 => break,
                count => all.extend(&chunk[..count]),
            }
        }
        assert_eq!(all.len(), content.len(), "the announced length");
        *self.content.borrow_mut() = all;
        Ok(())
    }

    async fn compare<S: Source>(
        &self,
        _: At<'_>,
        _: Tag,
        _: Kind,
        _: &mut S,
    ) -> Result<Comparison, CredentialError<S::Error>> {
        Ok(Comparison::Absent)
    }

    async fn read_back(
        &self,
        _: At<'_>,
        _: Tag,
        _: Kind,
        _: &mut dyn FnMut(&[u8]),
    ) -> Result<bool, CredentialError<Infallible>> {
        Ok(false)
    }

    async fn list(
        &self,
        _: At<'_>,
        _: &mut dyn FnMut(Stored),
    ) -> Result<(), CredentialError<Infallible>> {
        Ok(())
    }

    async fn remove(&self, _: At<'_>, _: Tag, _: Kind) -> Result<(), CredentialError<Infallible>> {
        Ok(())
    }
}
