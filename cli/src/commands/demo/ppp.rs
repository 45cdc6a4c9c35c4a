//! The demo with a module as a link: dial, address, time, then TLS 1.3 on the host by the code that firmware has on its MCU.

use embassy_futures::select::{Either, select};
use sectag::{Counters, TlsConfig};
use sectag_host_clock::FromTokio;
use sectag_ppp::dial::Cellular;

use super::flow;
use super::modems::Link;
use super::setting::{BAUD, HOST, PORT, REGISTRATION, TAG, TURNAROUND_MS, WIFI};
use super::steps::Steps;
use super::total::Total;
use super::world::{TIME_SERVER, World};
use crate::args::ClockSource;
use crate::failure::Failure;
use crate::hints::{self, Target};
use crate::mqtt::Login;
use crate::ppp::{self, Dial, Module, Set};
use crate::probe::{Files, Prober};
use crate::report::Report;
use crate::session::host_clock;
use crate::{route, tls};

const MESSAGE: &[u8] = b"hello from behind the modem";

pub(super) async fn run(
    link: Link,
    world: &World,
    steps: &mut Steps<'_>,
) -> Result<Total, Failure> {
    // Said before anything is shown: without it there is no far end.
    let far_end = sectag_simulator::Slirp::start();
    drop(far_end.map_err(|error| hints::unsuitable("the far end of PPP", &error))?);
    let dial = Dial {
        module: match link {
            Link::ShortRange => Module::ShortRange(WIFI),
            Link::Cellular(_) => Module::Cellular(Cellular::new().register_within(REGISTRATION)),
        },
        login: sectag_ppp::Login::NONE,
        // The scenario decides whether there is a time, and this computer always has one.
        clock: Some(ClockSource::Network),
        time_server: TIME_SERVER.into(),
    };
    let Files { ca, client } = &world.files;
    let (certificate, key) = client.clone().unzip();
    let set = Set::new(TAG, ca.clone(), certificate, key)?;
    let prober = Prober {
        names: world.names.clone(),
        files: world.files.clone(),
        tag: TAG,
    };
    let (host_end, modem_end) = tokio::io::duplex(256);
    let (rx, tx) = tokio::io::split(host_end);
    let ends = (FromTokio::new(rx), FromTokio::new(tx));
    let report = steps.report;
    let step = steps.begin("dialling");
    // As the module counts them: what goes over its line.
    let counters = || {
        let mut counted = Counters::default();
        counted.exchanges = world.modem.exchanges() as u32;
        counted.sent = world.modem.bytes_in() as u32;
        counted.received = world.modem.bytes_out() as u32;
        counted
    };
    let application = async |link: ppp::Link<'_>, detail: String| {
        let detail = format!(
            "simulated {}, {BAUD} baud, {TURNAROUND_MS} ms turnaround; {detail}",
            world.what
        );
        steps.done(step, "dial, PPP and an address", Some(counters()), &detail)?;
        let step = steps.begin("asking for the time");
        let time = match (link.now(), link.time_source()) {
            (Some(now), Some(source)) => format!("{now}, from {source}"),
            _ => "not known".into(),
        };
        steps.done(step, "clock", Some(counters()), &time)?;

        let mut config = TlsConfig::new(TAG);
        let mut how = "connect with TLS 1.3";
        if set.has_client() {
            config = config.client_certificate();
            how = "connect with mutual TLS 1.3";
        }
        let target = Target {
            host: HOST,
            port: PORT,
            tag: TAG,
            modem: None,
        };
        let explain = async |failure, login: Option<&Login>, report: &Report| match link
            .now()
            .or_else(host_clock)
        {
            Some(now) => {
                prober
                    .explain_here(failure, now, (HOST, PORT), login, report)
                    .await
            }
            None => failure,
        };
        let step = steps.begin("connecting");
        let socket = match link
            .sockets
            .connect(route::name(HOST)?, PORT, &config)
            .await
        {
            Ok(socket) => socket,
            Err(error) => {
                drop(step);
                return Err(explain(hints::connect(&error, &target), None, report).await);
            }
        };
        steps.done(
            step,
            how,
            Some(counters()),
            &tls::describe(socket.verified()),
        )?;
        let refused = async |failure, login: &Login, report: &Report| {
            explain(failure, Some(login), report).await
        };
        let ended = "said to the server by TLS and TCP";
        flow::exchange(socket, MESSAGE, steps, || Some(counters()), refused, ended).await
    };
    let work = ppp::over(
        ends,
        &dial,
        &set,
        report,
        "the simulator has only one",
        application,
    );
    match select(world.modem.serve(modem_end), work).await {
        Either::First(end) => {
            let why = end.map_or_else(|error| error.to_string(), |()| "its line is closed".into());
            return Err(Failure::new(format!("the simulated modem ended: {why}")));
        }
        Either::Second(result) => result?,
    }
    Ok(Total {
        counters: counters(),
        memory: None,
        checks_name: true,
        hides_suites: false,
        speaks_at: true,
    })
}
