//! `sectag subscribe`: prints one line per message.

use embassy_futures::select::{Either, select};
use minimq::InboundPublish;

use super::broker::{self, Talk};
use crate::args::Subscribe;
use crate::hints::Failure;
use crate::json::Object;
use crate::mqtt::{self, Client};
use crate::report::Report;
use crate::stop::Stop;

pub(crate) async fn run(args: &Subscribe, report: &Report) -> Result<(), Failure> {
    broker::run(&args.broker, report, args).await
}

impl Talk for &Subscribe {
    async fn talk(self, mut client: Client<'_, '_, '_>, report: &Report) -> Result<(), Failure> {
        let args = self;
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
