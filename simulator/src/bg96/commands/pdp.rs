//! The commands of PDP contexts (sheet 1.6).

use std::rc::Rc;

use embassy_time::{Duration, Timer};

use super::super::Bg96;
use super::super::parser::{Args, Fail, Op};
use super::super::state::{Pdp, PdpSettings};
use super::{OK, Outcome, Reply, UNKNOWN};

/// The most active contexts at a time.
const ACTIVE_LIMIT: usize = 3;

fn address(context: u8) -> String {
    format!("10.64.0.{context}")
}

impl Bg96 {
    pub(super) async fn pdp(self: &Rc<Self>, name: &str, op: &Op, reply: &mut Reply) -> Outcome {
        match (name, op) {
            ("QICSGP", Op::Set(args)) => return self.pdp_settings(args, reply),
            ("QICSGP", Op::Test) => {
                reply.line("+QICSGP: (1-16),(1,2),<APN>,<username>,<password>,(0-3)")
            }
            ("QIACT", Op::Read) => {
                let state = self.state.borrow();
                for context in state.pdp.keys().filter(|context| state.active(**context)) {
                    let family = state
                        .pdp_settings
                        .get(context)
                        .map_or(1, |settings| settings.family);
                    reply.line(format!(
                        "+QIACT: {context},1,{family},\"{}\"",
                        address(*context)
                    ));
                }
            }
            ("QIACT", Op::Test) => reply.line("+QIACT: (1-16)"),
            ("QIACT", Op::Set(args)) => {
                args.count(1, 1)?;
                return self.activate(args.byte(0, 1, 16)?).await;
            }
            ("QIDEACT", Op::Test) => reply.line("+QIDEACT: (1-16)"),
            ("QIDEACT", Op::Set(args)) => {
                args.count(1, 1)?;
                return self.deactivate(args.byte(0, 1, 16)?).await;
            }
            ("QIDNSCFG", Op::Set(args)) => {
                args.count(1, 3)?;
                let context = args.byte(0, 1, 16)?;
                let mut state = self.state.borrow_mut();
                if !state.active(context) {
                    return Err(Fail::Tcp(561));
                }
                let servers = state
                    .dns
                    .entry(context)
                    .or_insert_with(|| ("100.64.0.10".to_owned(), "100.64.0.11".to_owned()));
                if args.len() == 1 {
                    reply.line(format!(
                        "+QIDNSCFG: {context},\"{}\",\"{}\"",
                        servers.0, servers.1
                    ));
                } else {
                    *servers = (
                        args.string(1)?.to_owned(),
                        args.string_or(2, &servers.1.clone())?.to_owned(),
                    );
                }
            }
            ("CGPADDR", Op::Set(args)) => {
                args.count(1, 1)?;
                let context = args.byte(0, 1, 16)?;
                let shown = if self.state.borrow().active(context) {
                    address(context)
                } else {
                    "0.0.0.0".to_owned()
                };
                reply.line(format!("+CGPADDR: {context},{shown}"));
            }
            _ => return UNKNOWN,
        }
        OK
    }

    fn pdp_settings(&self, args: &Args, reply: &mut Reply) -> Outcome {
        args.count(1, 6)?;
        let context = args.byte(0, 1, 16)?;
        let mut state = self.state.borrow_mut();
        if args.len() == 1 {
            let default = PdpSettings {
                family: 1,
                ..PdpSettings::default()
            };
            let settings = state.pdp_settings.get(&context).unwrap_or(&default);
            let PdpSettings {
                family,
                apn,
                user,
                password,
                auth,
            } = settings;
            reply.line(format!(
                "+QICSGP: {family},\"{apn}\",\"{user}\",\"{password}\",{auth}"
            ));
            return OK;
        }
        // UNCONFIRMED: a context that has to be deactivated first takes no settings.
        if state.pdp.contains_key(&context) {
            return Err(Fail::Tcp(572));
        }
        let settings = PdpSettings {
            family: args.byte(1, 1, 3)?,
            apn: args.string_or(2, "")?.to_owned(),
            user: args.string_or(3, "")?.to_owned(),
            password: args.string_or(4, "")?.to_owned(),
            auth: args.number_or(5, 0, 3, 0)? as u8,
        };
        state.pdp_settings.insert(context, settings);
        OK
    }

    async fn activate(&self, context: u8) -> Outcome {
        let twice = self.options.profile.activate_twice;
        let (now, active) = {
            let state = self.state.borrow();
            (state.pdp.get(&context).copied(), state.pdp.len())
        };
        match now {
            Some(Pdp::Active) if twice => return OK,
            Some(Pdp::Active | Pdp::Hidden) => return Err(Fail::Tcp(572)),
            // The context has not been deactivated; the number is UNCONFIRMED (sheet 1.6).
            Some(Pdp::Lost | Pdp::Stuck) => return Err(Fail::Tcp(570)),
            None if active >= ACTIVE_LIMIT => return Err(Fail::Tcp(561)),
            None => {}
        }
        Timer::after(self.options.activation_delay).await;
        let mut state = self.state.borrow_mut();
        if !state.registered {
            return Err(Fail::Tcp(561));
        }
        if let Some(code) = self.options.pdp_refusal {
            return Err(Fail::Tcp(code));
        }
        state.pdp.insert(context, Pdp::Active);
        OK
    }

    async fn deactivate(&self, context: u8) -> Outcome {
        Timer::after(Duration::from_millis(200)).await;
        let mut state = self.state.borrow_mut();
        match state.pdp.get(&context) {
            Some(Pdp::Stuck) => return Err(Fail::Tcp(562)),
            None if !self.options.profile.deactivate_twice => return Err(Fail::Tcp(562)),
            _ => state.pdp.remove(&context),
        };
        // "Closes all sockets in it" (sheet 1.6).
        state.sockets.retain(|_, socket| {
            let mut socket = socket.borrow_mut();
            socket.cancelled |= socket.pdp == context;
            socket.pdp != context
        });
        drop(state);
        self.core.touch();
        OK
    }
}
