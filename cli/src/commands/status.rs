//! `sectag status`: who the modem is and how it fares.

use std::fmt::Display;

use sectag::clock::MIN_DATE;
use sectag::modem::{Full, SimPart};
use sectag::{Capabilities, ServerKey, SimCard, Status};

use crate::args::StatusArgs;
use crate::families::ModemName;
use crate::hints::{self, Failure};
use crate::ppp;
use crate::report::Report;
use crate::session::{Job, Session};
use crate::start;
use crate::tls;

pub(crate) async fn run(args: &StatusArgs, report: &Report) -> Result<(), Failure> {
    if args.modem.modem.0 == Some(ModemName::Ppp) {
        return ppp::status(&args.modem, report, |status| {
            // The module is of either kind, and tells it by what it knows.
            let is_cellular = status.sim.is_some() || status.imei.is_some();
            show(status, is_cellular, None, report)
        })
        .await;
    }
    start::ask(&args.modem, report, args).await
}

/// What is known, row by row, and of what is not known that which such a modem could have.
fn show(
    status: &Status,
    is_cellular: bool,
    card: Option<&SimCard>,
    report: &Report,
) -> Result<(), Failure> {
    let mut rows = rows(status, card);
    let foreign = if is_cellular { WIFI } else { CELLULAR };
    rows.retain(|row| row.value.is_some() || !foreign.contains(&row.key));
    if report.json() {
        return report.output(json(status, &rows).as_bytes());
    }
    let width = rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
    for Row { name, value, .. } in &rows {
        let value = value.as_deref().unwrap_or("not known");
        let text = format!("{name:width$}  {value}");
        report.row(&text, Some(width + 2), |object| object)?;
    }
    Ok(())
}

impl Job for &StatusArgs {
    async fn run<M: Full>(self, session: Session<'_, M>) -> Result<(), Failure> {
        let (args, control, report) = (self, session.control, session.report);
        let step = report.spin(format!("asking {} on {}", M::NAME, args.modem.port));
        let status = session.status().await;
        let status = status.map_err(|problem| hints::bring_up(&problem, &session.tried()))?;
        session.known(&status)?;
        let card = if args.sim {
            control.sim_if_any().await.ok()
        } else {
            None
        };
        step.done(report, &format!("{} has answered", M::NAME));
        show(&status, M::Sim::THERE, card.as_ref(), report)?;
        // What was found out is printed; that the modem is not on the network is a failure all the same.
        match &status.problem {
            None => Ok(()),
            Some(problem) => Err(hints::bring_up(problem, &session.tried())),
        }
    }
}

/// What only a modem with Wi-Fi has.
const WIFI: &[&str] = &["wifi"];
/// What only a modem with a SIM has.
const CELLULAR: &[&str] = &[
    "imei",
    "sim",
    "registration",
    "operator",
    "technology",
    "band",
    "rsrp",
    "rsrq",
    "sinr",
];

struct Row {
    name: &'static str,
    key: &'static str,
    value: Option<String>,
}

fn row(name: &'static str, key: &'static str, value: Option<impl Display>) -> Row {
    let value = value.map(|value| value.to_string());
    Row { name, key, value }
}

fn rows(status: &Status, card: Option<&SimCard>) -> Vec<Row> {
    let with_unit = |value: Option<i16>, unit| value.map(|value| format!("{value} {unit}"));
    let clock = status.clock.map(|now| {
        if now < MIN_DATE {
            format!("{now} (not set)")
        } else {
            now.to_string()
        }
    });
    let signal = status.signal;
    let has = &status.capabilities;
    let mut rows = vec![
        row("manufacturer", "manufacturer", status.manufacturer.as_ref()),
        row("model", "model", status.model.as_ref()),
        row("firmware", "firmware", status.firmware.as_ref()),
        row("IMEI", "imei", status.imei.as_ref()),
        row("SIM", "sim", status.sim),
        row("registration", "registration", status.registration),
        row("operator", "operator", status.operator.as_ref()),
        row("technology", "technology", status.technology),
        row("band", "band", status.band.as_ref()),
        row("signal (RSSI)", "rssi", with_unit(signal.rssi, "dBm")),
        row("signal (RSRP)", "rsrp", with_unit(signal.rsrp, "dBm")),
        row("signal (RSRQ)", "rsrq", with_unit(signal.rsrq, "dB")),
        row("signal (SINR)", "sinr", with_unit(signal.sinr, "dB")),
        row(
            "Wi-Fi network",
            "wifi",
            status.wifi.as_ref().and_then(|wifi| wifi.ssid.as_ref()),
        ),
        row("address", "address", status.address.as_ref()),
        row("clock", "clock", clock),
        row(
            "checks of a server",
            "verification",
            Some(tls::describe(has.verification)),
        ),
        row(
            "TLS",
            "tls",
            Some(match has.versions {
                (oldest, newest) if oldest == newest => oldest.to_string(),
                (oldest, newest) => format!("{oldest} to {newest}"),
            }),
        ),
        row("keys of servers", "server_keys", server_keys(has)),
        row("ALPN", "alpn", Some(tls::word(has.alpn))),
        row("pre-shared keys", "psk", Some(tls::word(has.psk))),
        row(
            "session resumption",
            "resumption",
            Some(tls::word(has.resumption)),
        ),
        row(
            "TLS sockets",
            "tls_sockets",
            Some(format!("{} at a time", has.sockets)),
        ),
    ];
    if let Some(limit) = has.record_limit {
        let value = format!("{limit} bytes");
        rows.push(row("largest TLS record", "largest_record", Some(value)));
    }
    if let Some(card) = card {
        rows.push(row("ICCID", "iccid", card.iccid.as_ref()));
        rows.push(row("IMSI", "imsi", card.imsi.as_ref()));
    }
    rows
}

/// Which keys a server may have, for the modem to have a cipher suite for it.
fn server_keys(has: &Capabilities) -> Option<&'static str> {
    match (
        has.speaks_to(ServerKey::Rsa),
        has.speaks_to(ServerKey::Ecdsa),
    ) {
        (true, true) => Some("RSA, ECDSA"),
        (true, false) => Some("RSA only"),
        (false, true) => Some("ECDSA only"),
        (false, false) => None,
    }
}

/// Numbers as numbers, in the units of the keys; what is not known is left out.
fn json(status: &Status, rows: &[Row]) -> String {
    let mut object = crate::json::Object::new();
    for Row { key, value, .. } in rows {
        object = match (*key, value) {
            ("rssi" | "rsrp" | "rsrq" | "sinr" | "clock" | "verification" | "tls_sockets", _)
            | (_, None) => object,
            (key, Some(value)) => object.text(key, value),
        };
    }
    let signal = status.signal;
    for (key, value) in [
        ("rssi_dbm", signal.rssi),
        ("rsrp_dbm", signal.rsrp),
        ("rsrq_db", signal.rsrq),
        ("sinr_db", signal.sinr),
    ] {
        if let Some(value) = value {
            object = object.signed(key, value.into());
        }
    }
    if let Some(now) = status.clock {
        object = object
            .text("clock", &now.to_string())
            .truth("clock_set", now >= MIN_DATE);
    }
    let checks = status.capabilities.verification;
    for (key, support) in [
        ("checks_chain", checks.chain),
        ("checks_dates", checks.dates),
        ("checks_name", checks.name),
        ("sends_sni", checks.sni),
        ("checks_suite", checks.suites),
        ("client_certificate", checks.client_certificate),
    ] {
        object = object.text(key, tls::word(support));
    }
    object = object.number("tls_sockets", status.capabilities.sockets.into());
    object = object.truth("up", status.problem.is_none());
    if let Some(problem) = &status.problem {
        object = object.text("problem", &problem.to_string());
    }
    object.finish()
}
