//! `--modem ublox-ppp`: the modem gives a link, and TLS is on this computer, by the code that firmware has on its MCU.

mod credentials;
mod doctor;
mod link;
mod refused;
mod status;

use std::time::{SystemTime, UNIX_EPOCH};

use embassy_time::Duration;
use sectag::clock::DateTime;
use sectag::{Kind, Tag, TlsConfig};
use sectag_ppp::tls::{Socket, Sockets};

use crate::args::{LocalFiles, ModemArgs, TlsArgs};
use crate::hints::{self, Failure, Target};
use crate::mqtt::Login;
use crate::probe::Prober;
use crate::report::Report;
use crate::tls;
use crate::way::{self, Errand, Way};

pub(crate) use self::credentials::{ACCEPTS, Set, run as credentials};
pub(crate) use self::doctor::run as doctor;
#[cfg(feature = "demo")]
pub(crate) use self::link::Module;
pub(crate) use self::link::{Dial, Link, over};
pub(crate) use self::refused::admits;
pub(crate) use self::status::run as status;

/// After the work: long enough to send the end of a connection.
const PARTING: Duration = Duration::from_millis(300);

/// Brings the link up and does an errand over it, with the credentials of `files`, or of this computer's store.
pub(crate) async fn go(
    args: &ModemArgs,
    tag: Tag,
    files: &LocalFiles,
    report: &Report,
    errand: impl Errand,
) -> Result<(), Failure> {
    // Mistakes of this computer's own files are found before the modem is touched.
    let set = Set::read(tag, files).await?;
    let dial = Dial::from_args(args, report)?;
    link::on_port(args, &dial, &set, report, async |link| {
        let way = OverLink {
            link,
            set: &set,
            args,
            report,
        };
        errand.run(&way).await
    })
    .await
}

/// TLS over a link that is up.
struct OverLink<'a, 'l> {
    link: Link<'l>,
    set: &'a Set,
    args: &'a ModemArgs,
    report: &'a Report,
}

impl<'l> Way for OverLink<'_, 'l> {
    type Socket = Socket<'l>;

    fn report(&self) -> &Report {
        self.report
    }

    async fn secure(
        &self,
        args: &TlsArgs,
        server: (&str, u16),
        prober: Option<&Prober>,
    ) -> Result<Socket<'l>, Failure> {
        let config = config(self.set, args, self.report);
        let target = Target {
            host: server.0,
            port: server.1,
            tag: args.tag,
            modem: Some(self.args),
        };
        match connect(self.link.sockets, &config, &target, self.report).await {
            Ok(socket) => Ok(socket),
            Err(failure) => Err(self.explained(failure, prober, server, None).await),
        }
    }

    async fn explained(
        &self,
        failure: Failure,
        prober: Option<&Prober>,
        server: (&str, u16),
        login: Option<&Login>,
    ) -> Failure {
        let now = self.link.now().or_else(crate::session::host_clock);
        match (prober, now) {
            (Some(prober), Some(now)) => {
                prober
                    .explain_here(failure, now, server, login, self.report)
                    .await
            }
            (Some(_), None) => failure,
            (None, _) => way::unprobed(failure),
        }
    }

    async fn time(&self) -> Result<Option<DateTime>, Failure> {
        Ok(self.link.now())
    }
}

/// Mutual TLS when the set has certificate and key.
fn config(set: &Set, args: &TlsArgs, report: &Report) -> TlsConfig {
    let mut config = TlsConfig::new(args.tag);
    if set.has_client() {
        config = config.client_certificate();
    }
    tls::policy(config, args, Some(report))
}

/// Connects, and tells what was verified.
async fn connect<'l>(
    sockets: Sockets<'l>,
    config: &TlsConfig,
    target: &Target<'_>,
    report: &Report,
) -> Result<Socket<'l>, Failure> {
    let server = (target.host, target.port);
    let name = way::name(server.0)?;
    let step = report.spin(format!("connecting to {}:{}", server.0, server.1));
    let socket = sockets.connect(name, server.1, config).await;
    let socket = socket.map_err(|error| hints::connect(&error, target))?;
    let detail = way::connected(server, tls::kind(config), socket.verified());
    step.done(report, &detail);
    Ok(socket)
}

/// Hard enough to guess for what a link and a question for the time need; keys come from the system's generator.
fn seed() -> u64 {
    use rand_core::RngCore;
    let mut bytes = [0; 8];
    if rand_core::OsRng.try_fill_bytes(&mut bytes).is_ok() {
        return u64::from_le_bytes(bytes);
    }
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(1, |since| since.as_nanos() as u64)
}

/// As the options call it.
const fn option(kind: Kind) -> &'static str {
    match kind {
        Kind::ClientCertificate => "--cert",
        Kind::PrivateKey => "--key",
        _ => "--ca",
    }
}
