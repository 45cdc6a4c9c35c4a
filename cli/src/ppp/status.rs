//! `sectag status`, with the module as a link: it is asked beside the link where it hears, otherwise before the dial.

use sectag::{Status, Tag};

use super::credentials::Set;
use super::link::{self, Dial};
use crate::args::ModemArgs;
use crate::hints::{self, Failure};
use crate::report::Report;

pub(crate) async fn run(
    args: &ModemArgs,
    report: &Report,
    show: impl FnOnce(&Status) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let dial = Dial::from_args(args, report)?;
    // Nothing is connected to.
    let set = Set::none(Tag(0));
    link::on_port(args, &dial, &set, report, async |link| {
        let status = link.status().await;
        let status = status.map_err(|error| {
            hints::bring_up(&error, "--baud")
                .hint("the link is up: a module that hears no AT beside it can still connect")
        })?;
        show(&status)
    })
    .await
}
