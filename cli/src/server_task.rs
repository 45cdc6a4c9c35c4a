//! The choice of the route to a server for commands that connect to one: TLS in the modem, or TLS on this computer over the
//! modem's link.

use sectag::modem::Full;

use crate::args::{LocalFiles, ModemArgs, TlsArgs};
use crate::failure::Failure;
use crate::families::ModemName;
use crate::ppp;
use crate::report::Report;
use crate::route::ServerTask;
use crate::session::{Job, Session};
use crate::start;

/// Runs `task` over the route that `args` name. `files` are credentials on this computer, for the route that has no store of
/// its own.
pub(crate) async fn run(
    args: &ModemArgs,
    tls: &TlsArgs,
    files: &LocalFiles,
    report: &Report,
    task: impl ServerTask,
) -> Result<(), Failure> {
    if args.modem.0 == Some(ModemName::Ppp) {
        return ppp::go(args, tls.tag, files, report, task).await;
    }
    start::run(args, report, OverModem(task)).await
}

struct OverModem<E>(E);

impl<E: ServerTask> Job for OverModem<E> {
    async fn run<M: Full>(self, session: Session<'_, M>) -> Result<(), Failure> {
        self.0.run(&session).await
    }
}
