//! One TLS connection over any transport: the handshake, with all checks of the server.

use embassy_futures::block_on;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::mutex::Mutex;
use embedded_io_async::{ErrorType, Read, Write};
use embedded_tls::{
    Certificate, CryptoProvider, FlushPolicy, MaxFragmentLength, SignatureScheme, TlsConfig,
    TlsConnection, TlsContext, TlsError, TlsVerifier,
};
use rand_core::CryptoRngCore;
use sectag::ConnectError;
use sectag::signer::{Signer, ecdsa_to_der};
use sha2::{Digest, Sha256};

use super::gate::Gate;
use super::refusal;
use super::suite::CheckedAes128Gcm;
use super::verifier::{Problem, Verifier};

/// Both directions of a transport, shared by reader and writer.
pub(crate) struct Transport<R, W> {
    pub(crate) rx: Mutex<NoopRawMutex, Gate<R>>,
    pub(crate) tx: Mutex<NoopRawMutex, W>,
}

impl<R: Read, W: Write> Transport<R, W> {
    /// Returns a transport; `limit` is the longest accepted record, in bytes.
    pub(crate) fn new(rx: R, tx: W, limit: usize) -> Self {
        Self {
            rx: Mutex::new(Gate::new(rx, limit)),
            tx: Mutex::new(tx),
        }
    }
}

/// The reader and writer that embedded-tls holds.
pub(crate) struct Ends<'t, R, W>(&'t Transport<R, W>);

impl<R, W> Clone for Ends<'_, R, W> {
    fn clone(&self) -> Self {
        Self(self.0)
    }
}

impl<R, W: ErrorType> ErrorType for Ends<'_, R, W> {
    type Error = W::Error;
}

impl<R: Read<Error = W::Error>, W: Write> Read for Ends<'_, R, W> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, W::Error> {
        self.0.rx.lock().await.read(buf).await
    }
}

impl<R, W: Write> Write for Ends<'_, R, W> {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, W::Error> {
        self.0.tx.lock().await.write(buf).await
    }

    async fn flush(&mut self) -> Result<(), W::Error> {
        self.0.tx.lock().await.flush().await
    }
}

/// A connection after the handshake.
pub(crate) type Connection<'t, R, W> = TlsConnection<'t, Ends<'t, R, W>, CheckedAes128Gcm>;

/// The parameters of a connection.
pub(crate) struct Order<'o, S> {
    pub(crate) name: &'o str,
    /// The current time in Unix seconds.
    pub(crate) now: u64,
    pub(crate) roots: &'o [&'o [u8]],
    /// The client's certificate and its key.
    pub(crate) client: Option<(&'o [u8], &'o mut S)>,
    pub(crate) alpn: Option<&'o str>,
}

/// Makes the handshake. The server of the returned connection has proven its identity.
pub(crate) async fn open<'t, R, W, S, G>(
    transport: &'t Transport<R, W>,
    records_in: &'t mut [u8],
    records_out: &'t mut [u8],
    order: Order<'_, S>,
    rng: &mut G,
) -> Result<Connection<'t, R, W>, ConnectError>
where
    R: Read<Error = W::Error>,
    W: Write,
    S: Signer<Signature = [u8; 64]>,
    G: CryptoRngCore,
{
    let protocols = [order.alpn.unwrap_or_default().as_bytes()];
    let mut config = TlsConfig::new().with_server_name(order.name);
    // SNI must not contain an address (RFC 6066, 3).
    if order.name.parse::<core::net::IpAddr>().is_ok() {
        config = TlsConfig::new();
    }
    if cfg!(feature = "rsa") {
        config = config.enable_rsa_signatures();
    }
    if order.alpn.is_some() {
        config = config.with_alpn(&protocols);
    }
    if records_in.len() < 16_640 {
        config = config.with_max_fragment_length(match records_in.len() {
            4_352.. => MaxFragmentLength::Bits12,
            _ => MaxFragmentLength::Bits11,
        });
    }
    let mut connection = TlsConnection::new(Ends(transport), records_in, records_out);
    // Unacknowledged bytes are left to TCP.
    connection.set_flush_policy(FlushPolicy::Relaxed);
    let mut crypto = Crypto {
        verifier: Verifier::new(order.roots, order.name, order.now),
        rng,
        client: order.client,
        unsigned: false,
    };
    let opened = connection.open(TlsContext::new(&config, &mut crypto)).await;
    let mut gate = transport.rx.lock().await;
    if let Some(problem) = crypto.verifier.problem() {
        return Err(refusal::of_problem(problem));
    }
    if let Some(foul) = gate.foul() {
        return Err(refusal::of_foul(foul));
    }
    if crypto.unsigned {
        return Err(refusal::refused(
            "the device's key did not sign",
            &[sectag::Cause::ClientKeyMismatch],
        ));
    }
    opened.map_err(refusal::of_tls)?;
    // embedded-tls also completes a handshake without a certificate; that is refused here.
    if !crypto.verifier.is_proven() {
        return Err(refusal::of_problem(Problem::Order));
    }
    gate.opened();
    drop(gate);
    Ok(connection)
}

/// The callbacks of embedded-tls.
struct Crypto<'c, S, G> {
    verifier: Verifier<'c>,
    rng: &'c mut G,
    client: Option<(&'c [u8], &'c mut S)>,
    /// The key was asked to sign and failed.
    unsigned: bool,
}

impl<S, G> CryptoProvider for Crypto<'_, S, G>
where
    S: Signer<Signature = [u8; 64]>,
    G: CryptoRngCore,
{
    type CipherSuite = CheckedAes128Gcm;
    type Signature = Der;

    fn rng(&mut self) -> impl CryptoRngCore {
        &mut *self.rng
    }

    fn verifier(&mut self) -> Result<&mut impl TlsVerifier<CheckedAes128Gcm>, TlsError> {
        Ok(&mut self.verifier)
    }

    fn signer(&mut self) -> Result<(impl signature::SignerMut<Der>, SignatureScheme), TlsError> {
        let Some((_, key)) = &mut self.client else {
            return Err(TlsError::InvalidPrivateKey);
        };
        let key = Key {
            key: &mut **key,
            unsigned: &mut self.unsigned,
        };
        Ok((key, SignatureScheme::EcdsaSecp256r1Sha256))
    }

    fn client_cert(&mut self) -> Option<Certificate<impl AsRef<[u8]>>> {
        self.client.as_ref().map(|(der, _)| Certificate::X509(*der))
    }
}

/// A signature in the form of TLS.
pub(crate) struct Der {
    bytes: [u8; 72],
    len: usize,
}

impl AsRef<[u8]> for Der {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// The key, for a library that cannot await: it is polled until it has signed.
struct Key<'k, S> {
    key: &'k mut S,
    unsigned: &'k mut bool,
}

impl<S: Signer<Signature = [u8; 64]>> signature::SignerMut<Der> for Key<'_, S> {
    /// Returns an empty signature if the key fails, which no server accepts. embedded-tls would panic
    /// on an error.
    // If this is inlined into the handshake, the curve's addition is unrolled, which costs 360 bytes of
    // flash.
    #[inline(never)]
    fn try_sign(&mut self, message: &[u8]) -> Result<Der, signature::Error> {
        let mut der = Der {
            bytes: [0; 72],
            len: 0,
        };
        // Uses the SHA-256 that TLS has linked already; the core's is of another major version.
        let digest = sectag::Digest::from_bytes(Sha256::digest(message).into());
        match block_on(self.key.sign(&digest)) {
            Ok(signature) => der.len = ecdsa_to_der(&signature, &mut der.bytes),
            Err(_) => *self.unsigned = true,
        }
        Ok(der)
    }
}
