//! `--modem ublox-ppp`: the modem gives a link, and TLS is on this computer, by the code that firmware has on its MCU.

mod connect;
mod credentials;
mod doctor;
mod link;
mod refused;
mod rotate;
mod status;

use sectag::Tag;
use sectag::clock::DateTime;
use sectag_ppp::tls::Socket;

use self::connect::{config, connect};
use crate::args::{LocalFiles, ModemArgs, TlsArgs};
use crate::hints::{Failure, Target};
use crate::mqtt::Login;
use crate::probe::Prober;
use crate::report::Report;
use crate::route::{self, Route, ServerTask};

pub(crate) use self::credentials::{Set, keep_key, key_file, run as credentials};
pub(crate) use self::doctor::run as doctor;
pub(crate) use self::link::{Dial, Link};
#[cfg(feature = "demo")]
pub(crate) use self::link::{Module, over};
pub(crate) use self::refused::admits;
pub(crate) use self::rotate::rotate;
pub(crate) use self::status::run as status;

/// Brings the link up and runs `task` over it, with the credentials of `files`, or of this computer's store.
pub(crate) async fn go(
    args: &ModemArgs,
    tag: Tag,
    files: &LocalFiles,
    report: &Report,
    task: impl ServerTask,
) -> Result<(), Failure> {
    // Mistakes of this computer's own files are found before the modem is touched.
    let set = Set::read(tag, files).await?;
    let dial = Dial::from_args(args, report)?;
    link::on_port(args, &dial, &set, report, async |link| {
        let route = OverLink {
            link,
            set: &set,
            args,
            report,
        };
        task.run(&route).await
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

impl<'l> Route for OverLink<'_, 'l> {
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
            (None, _) => route::unprobed(failure),
        }
    }

    async fn time(&self) -> Result<Option<DateTime>, Failure> {
        Ok(self.link.now())
    }
}
