//! `sectag publish`: one MQTT message.

use minimq::QoS;

use super::broker::{self, Talk};
use crate::args::Publish;
use crate::hints::Failure;
use crate::mqtt::{self, Client};
use crate::report::Report;

pub(crate) async fn run(args: &Publish, report: &Report) -> Result<(), Failure> {
    broker::run(&args.broker, report, args).await
}

impl Talk for &Publish {
    async fn talk(self, mut client: Client<'_, '_, '_>, report: &Report) -> Result<(), Failure> {
        let args = self;
        let step = report.spin("publishing");
        let qos = if args.qos == 0 {
            QoS::AtMostOnce
        } else {
            QoS::AtLeastOnce
        };
        let payload = args.message.as_bytes();
        mqtt::publish(&mut client, &args.topic, payload, qos, |_| Ok(())).await?;
        let took = step.elapsed();
        drop(step);
        mqtt::close(client).await?;

        let acknowledged = args.qos > 0;
        let text = format!(
            "published {} bytes to {} at QoS {}: {} ({:.1} s)",
            payload.len(),
            args.topic,
            args.qos,
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
                .number("ms", took.as_millis() as u64)
        })
    }
}
