//! `sectag publish`: one MQTT message.

use minimq::QoS;
use sectag::modem::Modem;
use sectag::{Control, Sockets};

use super::{explained, secure};
use crate::args::Publish;
use crate::hints::Failure;
use crate::mqtt::{self, Login, Memory};
use crate::probe::Prober;
use crate::report::Report;
use crate::session::{self, Job};

pub(crate) async fn run(args: &Publish, report: &Report) -> Result<(), Failure> {
    // Before the modem is touched: it may ask standard input.
    let login = Login::from_args(&args.mqtt, report)?;
    let prober = Prober::from_args(&args.probe, args.modem.modem).await?;
    session::run(
        &args.modem,
        report,
        Send {
            args,
            login,
            prober,
            report,
        },
    )
    .await
}

struct Send<'a> {
    args: &'a Publish,
    login: Login,
    prober: Option<Prober>,
    report: &'a Report,
}

impl Job for Send<'_> {
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
        let step = report.spin("logging in to the broker");
        let mut client = match mqtt::connect(&mut session, socket).await {
            Ok(client) => client,
            Err(failure) => {
                let login = Some(&login);
                return Err(explained(failure, prober, control, server, login, report).await);
            }
        };
        step.done(report, &format!("logged in as client {}", login.client_id));

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
