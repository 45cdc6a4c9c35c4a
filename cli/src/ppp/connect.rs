//! Connections of TLS on this computer.

use sectag::TlsConfig;
use sectag_ppp::tls::{Socket, Sockets};

use super::credentials::Set;
use crate::args::TlsArgs;
use crate::hints::{self, Failure, Target};
use crate::report::Report;
use crate::route;
use crate::tls;

/// Mutual TLS when the set has certificate and key.
pub(super) fn config(set: &Set, args: &TlsArgs, report: &Report) -> TlsConfig {
    let mut config = TlsConfig::new(args.tag);
    if set.has_client() {
        config = config.client_certificate();
    }
    tls::policy(config, args, Some(report))
}

/// Connects, and tells what was verified.
pub(super) async fn connect<'l>(
    sockets: Sockets<'l>,
    config: &TlsConfig,
    target: &Target<'_>,
    report: &Report,
) -> Result<Socket<'l>, Failure> {
    let server = (target.host, target.port);
    let name = route::name(server.0)?;
    let step = report.spin(format!("connecting to {}:{}", server.0, server.1));
    let socket = sockets.connect(name, server.1, config).await;
    let socket = socket.map_err(|error| hints::connect(&error, target))?;
    let detail = route::connected(server, tls::kind(config), socket.verified());
    step.done(report, &detail);
    Ok(socket)
}
