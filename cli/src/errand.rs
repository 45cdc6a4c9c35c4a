//! Which way an errand goes: through the modem's TLS, or over its link with TLS on this computer.

use sectag::modem::Full;

use crate::args::{LocalFiles, ModemArgs, TlsArgs};
use crate::failure::Failure;
use crate::families::ModemName;
use crate::ppp;
use crate::report::Report;
use crate::session::{Job, Session};
use crate::start;
use crate::way::Errand;

/// Does an errand over whatever `args` name. `files` are this computer's, which is where a way without a store of its own has its
/// credentials from.
pub(crate) async fn go(
    args: &ModemArgs,
    tls: &TlsArgs,
    files: &LocalFiles,
    report: &Report,
    errand: impl Errand,
) -> Result<(), Failure> {
    if args.modem.0 == Some(ModemName::Ppp) {
        return ppp::go(args, tls.tag, files, report, errand).await;
    }
    start::run(args, report, OverModem(errand)).await
}

struct OverModem<E>(E);

impl<E: Errand> Job for OverModem<E> {
    async fn run<M: Full>(self, session: Session<'_, M>) -> Result<(), Failure> {
        self.0.run(&session).await
    }
}
