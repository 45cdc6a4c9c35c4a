//! The server: what the modem's TLS needs of it, the connection, and the login to a broker.

use sectag::modem::Full;
use sectag::{
    Capabilities, Cause, ConnectError, Control, Feature, ServerKey, ServerName, TlsVersion,
};

use super::Examination;
use crate::args::{Server, TlsArgs};
use crate::failure::Failure;
use crate::hints::{self, Target};
use crate::mqtt;
use crate::probe::{Files, Names, Prober};
use crate::tls;

impl Examination<'_> {
    /// What a server must have to be spoken to.
    pub(super) fn abilities(&self, capabilities: &Capabilities) -> Result<(), Failure> {
        let (oldest, newest) = capabilities.versions;
        let versions = if oldest == newest {
            format!("only TLS {newest}")
        } else {
            format!("TLS {oldest} to {newest}")
        };
        let keys = [(ServerKey::Rsa, "RSA"), (ServerKey::Ecdsa, "ECDSA")];
        let keys: Vec<&str> = keys
            .iter()
            .filter(|(key, _)| capabilities.speaks_to(*key))
            .map(|(_, name)| *name)
            .collect();
        let keys = match keys[..] {
            [] => "which keys a server may have is not known".into(),
            [only] => format!("only servers with a key of {only}"),
            _ => format!("servers with a key of {}", keys.join(" or ")),
        };
        let newer = if newest == TlsVersion::Tls13 {
            ""
        } else {
            "; a server of TLS 1.3 alone is not spoken to"
        };
        self.list
            .line("info", "TLS", &format!("{versions}, {keys}{newer}"))
    }

    pub(super) async fn connection<M: Full>(
        &self,
        control: Control<'_, M>,
        tls: &TlsArgs,
        server: &Server,
    ) -> Result<(), Failure> {
        const WHAT: &str = "connection";
        let prober = Prober {
            names: Names::behind(&self.args.modem.port),
            files: Files::of(&self.local),
            tag: tls.tag,
        };
        let (host, port) = (server.host.as_str(), server.port);
        let fails = |failure| self.list.fails(WHAT, failure);
        let config = tls::config(control, tls, self.report)
            .await
            .map_err(fails)?;
        let name = ServerName::new(host)
            .map_err(|error| fails(Failure::new(format!("{host}: {error}"))))?;
        let target = Target {
            host,
            port,
            tag: tls.tag,
            modem: Some(&self.args.modem),
        };
        let step = self.report.spin(format!("connecting to {host}:{port}"));
        let connected = control.connect(name, port, &config).await;
        drop(step);
        let socket = match connected {
            Ok(socket) => socket,
            Err(error) => {
                let what = match error.causes().next() {
                    _ if matches!(error, ConnectError::Unverifiable(_)) => "verification",
                    _ if matches!(
                        error,
                        ConnectError::Lacks(Feature::SuiteChoice)
                            | ConnectError::SuiteNotAllowed { .. }
                    ) =>
                    {
                        "cipher suites"
                    }
                    Some(Cause::NameUnknown | Cause::NameUnknownHere) => "DNS",
                    _ => WHAT,
                };
                let failure = hints::connect(&error, &target);
                let failure = prober
                    .explain(failure, control, (host, port), None, self.report)
                    .await;
                return Err(self.list.fails(what, failure));
            }
        };
        self.list.ok("DNS", host)?;
        self.list
            .ok("verification", &tls::describe(socket.verified()))?;
        let detail = format!("{host}:{port}, {}", tls::kind(&config));
        self.list.ok(WHAT, &detail)?;
        let Some(login) = &self.login else {
            socket
                .close()
                .await
                .map_err(|error| hints::socket("closing the connection", &error))?;
            return self.looked_at(&prober, control, (host, port)).await;
        };
        let step = self.report.spin("logging in to the broker");
        let logged_in = mqtt::try_login(login, socket).await;
        drop(step);
        if let Err(failure) = logged_in {
            let failure = prober
                .explain(failure, control, (host, port), Some(login), self.report)
                .await;
            return Err(self.list.fails("login", failure));
        }
        self.list
            .ok("login", &format!("as client {}", login.client_id))?;
        self.looked_at(&prober, control, (host, port)).await
    }

    /// Looks from this computer, where that is wanted though all is well.
    async fn looked_at<M: Full>(
        &self,
        prober: &Prober,
        control: Control<'_, M>,
        (host, port): (&str, u16),
    ) -> Result<(), Failure> {
        if self.args.probe {
            let server = (host, port);
            prober.look(control, server, None, self.report).await;
        }
        Ok(())
    }
}
