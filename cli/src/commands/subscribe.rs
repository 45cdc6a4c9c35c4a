//! `sectag subscribe`: prints one line per message.

use std::future::pending;

use embassy_futures::select::{Either3, select3};
use embassy_time::{Duration, Timer};

use sectag::{SecureSocket, SocketError};

use super::broker::{self, Talk};
use crate::args::Subscribe;
use crate::hints::Failure;
use crate::json::Object;
use crate::mqtt::{self, Client, Message};
use crate::report::Report;
use crate::stop::Stop;

pub(crate) async fn run(args: &Subscribe, report: &Report) -> Result<(), Failure> {
    broker::run(&args.broker, mqtt::PATIENCE, report, args).await
}

impl Talk for &Subscribe {
    async fn talk<S: SecureSocket<Error = SocketError>>(
        self,
        mut client: Client<S>,
        report: &Report,
    ) -> Result<(), Failure> {
        let args = self;
        let mut stop = Stop::listen().map_err(|error| Failure::new(error.to_string()))?;

        let mut left = args.count.unwrap_or(u64::MAX);
        let step = report.spin("subscribing");
        let qos = mqtt::qos(args.qos);
        client
            .subscribe(&args.topic, qos, |message| show(message, &mut left, report))
            .await?;
        step.done(report, &format!("subscribed to {}", args.topic));
        log::debug!(
            "a message of more than {} bytes, its topic included, is not delivered: the broker was told so",
            mqtt::RECEIVE_LIMIT
        );

        let late = async {
            match args.timeout {
                Some(seconds) => Timer::after(Duration::from_secs(seconds)).await,
                None => pending().await,
            }
        };
        let received = receive(&mut client, &mut left, report);
        let (late, stopped) = match select3(received, stop.requested(), late).await {
            Either3::First(result) => {
                result?;
                (false, false)
            }
            Either3::Second(()) => {
                report.note("stopping");
                (false, true)
            }
            Either3::Third(()) => (true, false),
        };
        // What came is printed; how the connection ends is no matter of the messages.
        if let Err(failure) = client.close().await {
            report.warn(failure.observed());
        }
        match (args.count, args.timeout) {
            (Some(count), Some(seconds)) if late => Err(Failure::new(format!(
                "{} of {count} messages came within {seconds} s",
                count - left
            ))
            .hint("a longer --timeout waits longer; without it, until Ctrl-C")),
            // Without a number, this is how it ends.
            (Some(count), _) if stopped => Err(Failure::interrupted(format!(
                "interrupted: {} of {count} messages have come",
                count - left
            ))
            .hint(
                "subscribe again for the rest; what the broker does not retain is missed meanwhile",
            )),
            _ => Ok(()),
        }
    }
}

async fn receive(
    client: &mut Client<impl SecureSocket<Error = SocketError>>,
    left: &mut u64,
    report: &Report,
) -> Result<(), Failure> {
    while *left > 0 {
        let message = client.receive().await?;
        show(&message, left, report)?;
    }
    Ok(())
}

/// `TOPIC PAYLOAD`, the payload byte for byte.
fn show(message: &Message, left: &mut u64, report: &Report) -> Result<(), Failure> {
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
            .number("qos", message.qos())
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
