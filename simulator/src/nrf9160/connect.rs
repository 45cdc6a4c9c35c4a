//! How a socket is connected: TCP, then TLS with the settings and credentials of its engine (sheet 4.3, 7.5).

use std::rc::Rc;

use embassy_time::{Duration, with_timeout};
use tokio::io::BufReader;

use super::Nrf9160;
use super::credentials::Material;
use super::sockets::{ECONNRESET, Engine, Kind, Phase};
use super::state::SharedSocket;
use crate::channel::Channel;
use crate::network::Stream;
use crate::tls::{self, ServerCheck, TlsSettings};

/// The time limit of a connect with the modem's TLS; the sheet only says what a driver should allow.
const CONNECT_LIMIT: Duration = Duration::from_secs(60);
/// The time limit of a connect in native builds.
const NATIVE_CONNECT_LIMIT: Duration = Duration::from_secs(30);

/// TLS 1.2 only (sheet 7.5, and 258 in the answer to `#XSSOCKET`).
const VERSIONS: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS12];
/// The suites of the modem's TLS. UNCONFIRMED (sheet 13: the list per modem firmware is missing). Here
/// they are those of rustls that any TLS 1.2 modem has: ECDHE with AES-128-GCM, for ECDSA and RSA
/// certificates.
const MODEM_SUITES: &[u16] = &[0xc02b, 0xc02f];
/// Mbed TLS has AES-256-GCM as well.
const NATIVE_SUITES: &[u16] = &[0xc02b, 0xc02c, 0xc02f, 0xc030];

/// A connection, and its cipher suite.
type Secured = (Box<dyn Channel>, Option<u16>);

/// A result whose error says why a connection failed. It is for the log; the modem answers `ERROR`
/// (sheet 1.3).
type ConnectResult<T> = Result<T, String>;

impl Nrf9160 {
    /// Connects; the whole TLS handshake is part of it (sheet 4.3).
    pub(super) async fn connect(
        self: &Rc<Self>,
        socket: &SharedSocket,
        host: &str,
        port: u16,
    ) -> ConnectResult<()> {
        if socket.borrow().phase != Phase::Created {
            return Err("the socket is or was connected".into());
        }
        if !self.state.borrow().modem.registered {
            return Err("not registered".into());
        }
        let limit = if socket.borrow().is_native() {
            NATIVE_CONNECT_LIMIT
        } else {
            CONNECT_LIMIT
        };
        let outcome = with_timeout(limit, self.establish(socket, host, port))
            .await
            .unwrap_or_else(|_| Err("timed out".into()));
        let (channel, suite) = match outcome {
            Ok(channel) => channel,
            Err(reason) => {
                socket.borrow_mut().phase = Phase::Broken(ECONNRESET);
                if reason.contains(tls::LONG_CHAIN) {
                    self.crash_modem("0x4");
                }
                return Err(reason);
            }
        };
        {
            let mut socket = socket.borrow_mut();
            socket.phase = Phase::Connected;
            socket.suite = suite;
            socket.early_in = self.options.early_in && socket.is_tls();
            socket.hangs_up = self.options.tls_failure_hangs_up;
        }
        self.pump(socket.clone(), channel);
        Ok(())
    }

    async fn establish(
        &self,
        socket: &SharedSocket,
        host: &str,
        port: u16,
    ) -> ConnectResult<Secured> {
        let stream = self
            .network
            .connect(host, port)
            .await
            .map_err(|error| error.to_string())?;
        let (kind, name) = {
            let socket = socket.borrow();
            (socket.kind.clone(), socket.name.clone())
        };
        match kind {
            Kind::Tcp => Ok((Box::new(BufReader::new(stream)), None)),
            Kind::Tls {
                tag,
                verify,
                engine,
            } => self.secure(tag, verify, engine, name, host, stream).await,
        }
    }

    async fn secure(
        &self,
        tag: u32,
        verify: u8,
        engine: Engine,
        name: Option<String>,
        host: &str,
        stream: Box<dyn Stream>,
    ) -> ConnectResult<Secured> {
        let native = matches!(engine, Engine::Native { .. });
        let material = match engine {
            Engine::Native {
                loaded: Some(loaded),
            } => loaded,
            Engine::Native { loaded: None } => self.settings_material(tag),
            Engine::Modem => self.modem_material(tag)?,
        };
        if material.is_empty() && native {
            return Err(format!("nothing is stored for tag {tag}"));
        }
        // The handshake does not show whether verification is optional.
        let server = if verify < 2 {
            ServerCheck::None
        } else {
            if native && name.is_none() {
                // TRAP, sheet 7.5: Zephyr expects an empty name.
                return Err("no host name was set, and an empty one is expected".into());
            }
            ServerCheck::Chain {
                ca: material
                    .ca
                    .ok_or_else(|| format!("tag {tag} has no CA certificate"))?,
                dates: self.options.checks_dates,
                name: name.is_some(),
            }
        };
        let options = &self.options;
        let settings = TlsSettings {
            host: name.as_deref().unwrap_or(host),
            sni: match name {
                Some(_) => !options.no_sni,
                None => options.sni_without_name,
            },
            versions: VERSIONS,
            alpn: "",
            suites: if native { NATIVE_SUITES } else { MODEM_SUITES },
            server,
            client: material.cert.zip(material.key),
            accepts_der: false,
            chain_limit: if native {
                usize::MAX
            } else {
                options.modem_chain_limit
            },
            // A modem without the time uses its epoch.
            now: self.now().unwrap_or(time::OffsetDateTime::UNIX_EPOCH),
        };
        let stream = tls::connect(settings, stream).await?;
        let suite = stream.get_ref().1.negotiated_cipher_suite();
        let suite = suite.map(|suite| u16::from(suite.suite()));
        Ok((Box::new(stream), suite))
    }

    /// Returns the credentials of types 0, 1 and 2 at this very tag (sheet 7.4).
    fn modem_material(&self, tag: u32) -> ConnectResult<Material> {
        let state = self.state.borrow();
        let store = &state.nv.store;
        // Required by sheet 7.5 [NRFSOCK], whatever peer_verify is.
        if !store.iter().any(|(_, kind, _)| kind == 0) {
            return Err("there is no root CA in the whole store".into());
        }
        Ok(Material::load(|kind| store.get(tag, kind).cloned()))
    }

    fn settings_material(&self, tag: u32) -> Material {
        let state = self.state.borrow();
        Material::load(|kind| state.nv.settings.get(tag, kind).cloned())
    }
}
