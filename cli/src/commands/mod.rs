//! One module per command.

mod connect;
mod credentials;
mod demo;
mod publish;
mod record;
mod simulate;
mod status;
mod subscribe;

use sectag::modem::Modem;
use sectag::{Control, ServerName, Socket, Sockets};

use crate::args::{Command, ModemArgs, TlsArgs};
use crate::hints::{self, Failure, Target};
use crate::report::Report;
use crate::tls;

pub(crate) async fn run(command: Command, report: &Report) -> Result<(), Failure> {
    match command {
        Command::Demo(args) => demo::run(&args, report).await,
        Command::Publish(args) => publish::run(&args, report).await,
        Command::Subscribe(args) => subscribe::run(&args, report).await,
        Command::Connect(args) => connect::run(&args, report).await,
        Command::Credentials(args) => credentials::run(&args, report).await,
        Command::Status(args) => status::run(&args, report).await,
        // It runs one of the others.
        Command::Record(args) => Box::pin(record::run(&args, report)).await,
        Command::Simulate(args) => simulate::run(args, report).await,
    }
}

/// A verified connection, and on standard error what was verified.
async fn secure<'a, M: Modem>(
    control: Control<'_, M>,
    sockets: Sockets<'a, M>,
    (modem, tls): (&ModemArgs, &TlsArgs),
    (host, port): (&str, u16),
    report: &Report,
) -> Result<Socket<'a>, Failure> {
    let config = tls::config(control, tls, report).await?;
    let target = Target {
        host,
        port,
        tag: tls.tag,
        mutual: config.has_client_certificate(),
        modem: Some(modem),
    };
    let name = ServerName::new(host).map_err(|error| Failure::new(format!("{host}: {error}")))?;
    let step = report.spin(format!("connecting to {host}:{port}"));
    let socket = sockets
        .connect(name, port, &config)
        .await
        .map_err(|error| hints::connect(&error, &target))?;
    step.done(
        report,
        &format!(
            "connected to {host}:{port} with {}: {}",
            if target.mutual {
                "mutual TLS"
            } else {
                "TLS, without a client certificate"
            },
            tls::describe(socket.verified())
        ),
    );
    Ok(socket)
}
