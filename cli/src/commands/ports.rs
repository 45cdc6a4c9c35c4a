//! `sectag ports`: the serial ports of this computer, and on demand who is on them.

use tokio::task::JoinSet;

use crate::args::{PortName, Ports};
use crate::failure::Failure;
use crate::families::ModemName;
use crate::identify;
use crate::port;
use crate::report::Report;
use crate::serial_ports;

pub(crate) async fn run(args: &Ports, report: &Report) -> Result<(), Failure> {
    let mut ports: Vec<(PortName, String)> = if args.ports.is_empty() {
        serial_ports::list()
            .into_iter()
            .map(|port| (PortName::Serial(port.name), port.description))
            .collect()
    } else {
        let named = args.ports.iter();
        named.map(|name| (name.clone(), String::new())).collect()
    };
    ports.sort_by_key(|(name, _)| name.to_string());
    if ports.is_empty() {
        report.note(
            "this computer has no serial port now: check the cable, and that the modem is powered",
        );
    }
    if !args.ask {
        for (name, what) in &ports {
            let name = name.to_string();
            let text = format!("{name}\t{what}");
            report.result(text.trim_end(), |object| {
                object.text("port", &name).text("description", what)
            })?;
        }
        return Ok(());
    }
    ask(args, ports, report).await
}

/// All at once; each line is printed when its port has answered, or has not for 10 s.
async fn ask(args: &Ports, ports: Vec<(PortName, String)>, report: &Report) -> Result<(), Failure> {
    let step = report.spin(format!("asking {} ports who is there", ports.len()));
    let mut asking = JoinSet::new();
    let (baud, flow_control) = (args.baud, args.flow_control);
    for (name, what) in ports {
        asking.spawn_local(async move {
            let found = async {
                let mut opened = port::open(&name, baud, flow_control).await?;
                identify::who(&name, &mut opened, baud).await
            };
            let found = found.await;
            (name, what, found)
        });
    }
    while let Some(asked) = asking.join_next().await {
        let Ok((name, what, found)) = asked else {
            continue;
        };
        let name = name.to_string();
        let what = if what.is_empty() {
            String::new()
        } else {
            format!("\t{what}")
        };
        match found {
            Ok(found) => {
                let who = found.identity.shown();
                let modem = ModemName::of(&found.identity);
                let option = match modem {
                    Some(modem) => format!("--modem {}", modem.as_str()),
                    None => "not known to this tool".into(),
                };
                report.result(
                    &format!("{name}\t{who} at {} baud: {option}{what}", found.baud),
                    |object| {
                        let object = object
                            .text("port", &name)
                            .text("manufacturer", &found.identity.manufacturer)
                            .text("model", &found.identity.model)
                            .number("baud", found.baud.into());
                        match modem {
                            Some(modem) => object.text("modem", modem.as_str()),
                            None => object,
                        }
                    },
                )?;
            }
            Err(failure) => {
                let why = failure.observed();
                report.result(&format!("{name}\tnobody: {why}{what}"), |object| {
                    object.text("port", &name).text("error", why)
                })?;
            }
        }
    }
    drop(step);
    Ok(())
}
