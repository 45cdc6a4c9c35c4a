//! `sectag subscribe`: prints one line per message.

use embassy_futures::select::{Either, select};
use minimq::InboundPublish;
use sectag::modem::Modem;
use sectag::{Control, Sockets};

use super::{explained, secure};
use crate::args::Subscribe;
use crate::hints::Failure;
use crate::json::Object;
use crate::mqtt::{self, Client, Login, Memory};
use crate::probe::Prober;
use crate::report::Report;
use crate::session::{self, Job};
use crate::stop::Stop;

pub(crate) async fn run(args: &Subscribe, report: &Report) -> Result<(), Failure> {
    // Before the modem is touched: it may ask standard input.
    let login = Login::from_args(&args.mqtt, report)?;
    let prober = Prober::from_args(&args.probe, args.modem.modem).await?;
    session::run(
        &args.modem,
        report,
        Listen {
            args,
            login,
            prober,
            report,
        },
    )
    .await
}

struct Listen<'a> {
    args: &'a Subscribe,
    login: Login,
    prober: Option<Prober>,
    report: &'a Report,
}

impl Job for Listen<'_> {
    type Output = ();

    async fn run<M: Modem>(
        self,
        control: Control<'_, M>,
        sockets: Sockets<'_, M>,
    ) -> Result<(), Failure> {
        let Self {
            args,
            login,
            prober,
            report,
        } = self;
        let server = (args.mqtt.host.as_str(), args.mqtt.mqtt_port);
        let prober = prober.as_ref();
        let modem = (&args.modem, &args.tls);
        let socket = secure(control, sockets, modem, server, prober, report).await?;
        let mut memory = Memory::new();
        let mut session = memory.session(&login)?;
        let mut client = match mqtt::connect(&mut session, socket).await {
            Ok(client) => client,
            Err(failure) => {
                let login = Some(&login);
                return Err(explained(failure, prober, control, server, login, report).await);
            }
        };
        let mut stop = Stop::listen().map_err(|error| Failure::new(error.to_string()))?;

        let mut left = args.count.unwrap_or(u64::MAX);
        let step = report.spin("subscribing");
        mqtt::subscribe(&mut client, &args.topic, |message| {
            show(message, &mut left, report)
        })
        .await?;
        step.done(report, &format!("subscribed to {}", args.topic));

        let stopped = select(receive(&mut client, &mut left, report), stop.requested()).await;
        match stopped {
            Either::First(result) => result?,
            Either::Second(()) => report.note("stopping"),
        }
        mqtt::close(client).await
    }
}

async fn receive(
    client: &mut Client<'_, '_, '_>,
    left: &mut u64,
    report: &Report,
) -> Result<(), Failure> {
    while *left > 0 {
        let message = mqtt::receive(client).await?;
        show(&message, left, report)?;
    }
    Ok(())
}

/// `TOPIC PAYLOAD`, the payload byte for byte.
fn show(message: &InboundPublish<'_>, left: &mut u64, report: &Report) -> Result<(), Failure> {
    // Retained messages may come before the subscription is confirmed, and exceed the count.
    if *left == 0 {
        return Ok(());
    }
    *left -= 1;
    let (topic, payload) = (message.topic(), message.payload());
    if report.json() {
        let object = Object::new()
            .text("topic", topic)
            .bytes("payload", payload)
            .number("qos", message.qos() as u64)
            .truth("retained", message.retained());
        report.output(object.finish().as_bytes())
    } else {
        let mut line = Vec::with_capacity(topic.len() + 1 + payload.len());
        line.extend_from_slice(topic.as_bytes());
        line.push(b' ');
        line.extend_from_slice(payload);
        report.output(&line)
    }
}
