//! The commands of the clock (sheet section 2).

use embassy_time::{Duration, Timer};

use super::super::Bg96;
use super::super::parser::{Args, Fail, Op};
use super::{OK, Outcome, Reply, UNKNOWN};
use crate::clock::{EmulatedClock, read, show, show_zone};

/// The time in which a time server answers.
const NTP_ANSWER: Duration = Duration::from_millis(800);
/// The time after which a time server that does not answer is given up.
const NTP_SILENCE: Duration = Duration::from_secs(75);

impl Bg96 {
    pub(super) fn clock(&self, name: &str, op: &Op, reply: &mut Reply) -> Outcome {
        let mut state = self.state.borrow_mut();
        match (name, op) {
            ("CCLK", Op::Read) => reply.line(format!(
                "+CCLK: \"{}\"",
                show(state.clock.now(), state.zone, false)
            )),
            ("CCLK", Op::Set(args)) => {
                args.count(1, 1)?;
                let (utc, zone) = read(args.string(0)?).ok_or(Fail::Error)?;
                state.clock = EmulatedClock::starting_at(utc);
                state.zone = zone;
            }
            ("CTZU", Op::Read) => reply.line(format!("+CTZU: {}", state.nv.auto_zone)),
            ("CTZU", Op::Set(args)) => {
                args.count(1, 1)?;
                state.nv.auto_zone = args.byte(0, 0, 1)?;
            }
            ("CTZR", Op::Read) => reply.line(format!("+CTZR: {}", state.nv.zone_reports)),
            ("CTZR", Op::Set(args)) => {
                args.count(1, 1)?;
                state.nv.zone_reports = args.byte(0, 0, 2)?;
            }
            ("QLTS", Op::Execute | Op::Set(_)) => {
                let mode = match op {
                    Op::Set(args) => {
                        args.count(1, 1)?;
                        args.byte(0, 0, 2)?
                    }
                    _ => 0,
                };
                let network = state.network_clock.filter(|_| state.registered);
                let shown = network.map_or(String::new(), |clock| {
                    let zone = self.options.network_zone;
                    // The time field is local except in mode 1; the DST digit is inside the quotes.
                    let (field, shift) = if mode == 1 { (0, zone) } else { (zone, zone) };
                    let text = show(clock.now(), field, true);
                    format!("{}{},0", &text[..text.len() - 3], show_zone(shift))
                });
                reply.line(format!("+QLTS: \"{shown}\""));
            }
            ("QLTS", Op::Test) => reply.line("+QLTS: (0-2)"),
            ("QNTP", Op::Read) => {
                if let Some((server, port)) = &state.ntp {
                    reply.line(format!("+QNTP: \"{server}\",{port}"));
                }
            }
            ("QNTP", Op::Set(args)) => {
                drop(state);
                return self.ntp(args);
            }
            _ => return UNKNOWN,
        }
        OK
    }

    fn ntp(&self, args: &Args) -> Outcome {
        args.count(2, 4)?;
        let context = args.byte(0, 1, 16)?;
        let server = args.string(1)?.to_owned();
        let port = args.number_or(2, 1, 65535, 123)?;
        // The default is not documented; the example of the manual behaves like 1.
        let sets_clock = args.number_or(3, 0, 1, 1)? == 1;
        let network = {
            let mut state = self.state.borrow_mut();
            if !state.active(context) {
                return Err(Fail::Tcp(561));
            }
            if state.ntp.is_some() {
                return Err(Fail::Tcp(568));
            }
            state.ntp = Some((server, port));
            state.network_clock
        };
        let Some(modem) = self.me.upgrade() else {
            return OK;
        };
        let epoch = self.boots.get();
        self.core.spawn(async move {
            Timer::after(if network.is_some() {
                NTP_ANSWER
            } else {
                NTP_SILENCE
            })
            .await;
            if modem.boots.get() != epoch {
                return;
            }
            let result = {
                let mut state = modem.state.borrow_mut();
                state.ntp = None;
                match network {
                    Some(network) => {
                        if sets_clock && modem.options.profile.ntp_sets_clock {
                            state.clock = network;
                        }
                        // TRAP, sheet section 2: the time is UTC although it carries a zone.
                        let zone = state.zone;
                        let field = if modem.options.profile.ntp_time_is_utc {
                            0
                        } else {
                            zone
                        };
                        let long = modem.options.profile.ntp_long_year;
                        let text = show(network.now(), field, long);
                        format!(
                            "+QNTP: 0,\"{}{}\"",
                            &text[..text.len() - 3],
                            show_zone(zone)
                        )
                    }
                    None => "+QNTP: 569,\"\"".to_owned(),
                }
            };
            modem.urc(&result);
        });
        OK
    }
}
