//! `sectag publish`: one MQTT message.

use embassy_time::Duration;

use sectag::{SecureSocket, SocketError};

use super::broker::{self, Talk};
use crate::args::Publish;
use crate::hints::Failure;
use crate::input::{self, PAYLOAD_LIMIT, Purpose};
use crate::mqtt::{self, Client};
use crate::report::Report;

pub(crate) async fn run(args: &Publish, report: &Report) -> Result<(), Failure> {
    // Before the modem is touched: a file that is not there costs no connection.
    let payload = payload(args)?;
    if payload.len() > PAYLOAD_LIMIT {
        return Err(Failure::new(format!(
            "the message has {} bytes, and this tool publishes {} at most",
            payload.len(),
            PAYLOAD_LIMIT
        )));
    }
    let patience = Duration::from_secs(args.timeout);
    let message = Message { args, payload };
    broker::run(&args.broker, patience, report, message).await
}

fn payload(args: &Publish) -> Result<Vec<u8>, Failure> {
    if let Some(path) = &args.file {
        return input::read(path, Purpose::Payload).map(|(payload, _)| payload);
    }
    match args.message.as_deref() {
        Some("-") => input::read("-".as_ref(), Purpose::Payload).map(|(payload, _)| payload),
        Some(text) => Ok(text.as_bytes().to_vec()),
        None => Ok(Vec::new()),
    }
}

struct Message<'a> {
    args: &'a Publish,
    payload: Vec<u8>,
}

impl Talk for Message<'_> {
    async fn talk<S: SecureSocket<Error = SocketError>>(
        self,
        mut client: Client<S>,
        report: &Report,
    ) -> Result<(), Failure> {
        let Self { args, payload } = &self;
        let step = report.spin("publishing");
        let qos = mqtt::qos(args.qos);
        let how = (qos, args.retain);
        client
            .publish(&args.topic, payload, how, |_| Ok(()))
            .await?;
        let took = step.elapsed();
        drop(step);
        let farewell = client.close().await;

        let acknowledged = args.qos > 0;
        if let Err(failure) = farewell {
            if !acknowledged {
                return Err(failure);
            }
            // The broker has the message, whatever became of the good-bye.
            report.warn(&format!(
                "the message is delivered, but the connection did not end in order: {}",
                failure.observed()
            ));
        }
        let text = format!(
            "published {} bytes to {} at QoS {}{}: {} ({:.1} s)",
            payload.len(),
            args.topic,
            args.qos,
            if args.retain { ", retained" } else { "" },
            if acknowledged {
                "the broker has acknowledged"
            } else {
                "sent, without acknowledgement"
            },
            took.as_secs_f64()
        );
        report.result(&text, |object| {
            object
                .text("topic", &args.topic)
                .number("bytes", payload.len() as u64)
                .number("qos", args.qos.into())
                .truth("acknowledged", acknowledged)
                .truth("retain", args.retain)
                .number("ms", took.as_millis() as u64)
        })
    }
}
