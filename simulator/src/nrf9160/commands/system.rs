//! The commands for versions, reset, sleep and line rate (sheet 1).

use std::rc::Rc;

use embassy_time::{Duration, Timer};

use super::super::{Mode, Nrf9160, Power, keys};
use super::{Done, OK, Outcome, UNKNOWN};
use crate::syntax::{Fail, Op};

/// The rates of `#XSLMUART` and `AT+IPR` (sheet 1.1).
const RATES: [i64; 13] = [
    1200, 2400, 4800, 9600, 14400, 19200, 38400, 57600, 115_200, 230_400, 460_800, 921_600,
    1_000_000,
];
const SLOWEST_IPR: i64 = 115_200;

const RATE_DELAY: Duration = Duration::from_millis(50);
const RESET_DELAY: Duration = Duration::from_millis(50);
/// The time that `AT+CFUN=0` takes before a reset.
const GOODBYE: Duration = Duration::from_secs(1);
const SLEEP_DELAY: Duration = Duration::from_millis(100);

impl Nrf9160 {
    pub(super) async fn system(self: &Rc<Self>, name: &str, op: &Op) -> Outcome {
        let profile = self.options.profile;
        match (name, op) {
            ("XSLMVER", Op::Execute) if !profile.serial_modem => {
                self.answer(&format!("#XSLMVER: {}", profile.version));
            }
            ("XSMVER", Op::Execute) if profile.serial_modem => {
                self.answer(&format!("#XSMVER: {}", profile.version));
            }
            ("XCLAC", Op::Execute) => {
                // Without a CR LF in front (sheet 1.2).
                for command in profile.commands() {
                    self.core.send(format!("AT{command}\r\n").as_bytes());
                }
            }
            ("XUUID", Op::Execute) => {
                self.answer(&format!("#XUUID: {}", keys::show_uuid(&self.options.uuid)));
            }
            ("XRESET", Op::Execute) => {
                self.ok();
                Timer::after(RESET_DELAY).await;
                let functionality = self.state.borrow().modem.functionality;
                if !matches!(functionality, 0 | 4) {
                    Timer::after(GOODBYE).await;
                }
                self.reboot();
                return Ok(Done::Answered);
            }
            ("XSLEEP", Op::Test) => self.answer("#XSLEEP: (1,2)"),
            ("XSLEEP", Op::Set(args)) => {
                args.count(1, 1)?;
                match args.number(0, 1..=2)? {
                    1 => return self.system_off(false).await,
                    _ => {
                        self.ok();
                        self.mode.set(Mode::Idle);
                        return Ok(Done::Answered);
                    }
                }
            }
            ("XSHUTDOWN", Op::Execute) if profile.shutdown => return self.system_off(true).await,
            ("XMODEMRESET", Op::Execute) if profile.modem_reset => {
                {
                    let mut state = self.state.borrow_mut();
                    state.modem = Default::default();
                }
                self.break_sockets(super::super::sockets::ENETDOWN);
                self.answer("#XMODEMRESET: 0");
            }
            ("XSLMUART", Op::Read) if profile.stored_rate => {
                let baud = self.rate();
                let (rate, flow_control) = self
                    .state
                    .borrow()
                    .nv
                    .rate
                    .unwrap_or((baud, self.options.flow_control));
                self.answer(&format!("#XSLMUART: {rate},{}", u8::from(flow_control)));
            }
            ("XSLMUART", Op::Set(args)) if profile.stored_rate => {
                args.count(1, 2)?;
                let rate = args.number(0, 0..=1_000_000)?;
                if !RATES.contains(&rate) {
                    return Err(Fail::Error);
                }
                let flow_control = args.number_or(1, 0..=1, self.options.flow_control.into())? == 1;
                self.state.borrow_mut().nv.rate = Some((rate as u32, flow_control));
                self.change_rate(rate as u32);
                return Ok(Done::Answered);
            }
            ("XDATACTRL", Op::Read) => {
                let least = self.least_data_limit();
                let set = self.state.borrow().data_limit.unwrap_or(least);
                self.answer(&format!("#XDATACTRL: {set},{least}"));
            }
            ("XDATACTRL", Op::Set(args)) => {
                args.count(1, 1)?;
                let least = self.least_data_limit() as i64;
                let limit = args.number(0, least..=i64::from(u32::MAX))?;
                self.state.borrow_mut().data_limit = Some(limit as u64);
            }
            _ => return UNKNOWN,
        }
        OK
    }

    async fn system_off(self: &Rc<Self>, shutdown: bool) -> Outcome {
        self.ok();
        Timer::after(SLEEP_DELAY).await;
        self.restart(Power::Off { shutdown });
        Ok(Done::Answered)
    }

    /// Changes the rate after `OK` was sent at the old one.
    fn change_rate(&self, rate: u32) {
        self.ok();
        let Some(modem) = self.me.upgrade() else {
            return;
        };
        self.core.spawn(async move {
            Timer::after(RATE_DELAY).await;
            modem.set_rate(rate);
        });
    }

    /// Handles Serial Modem's commands beside those of the modem core.
    pub(super) fn serial_modem_command(&self, name: &str, op: &Op) -> Outcome {
        match (name, op) {
            ("E" | "E0", Op::Execute) => self.state.borrow_mut().echo = false,
            ("E1", Op::Execute) => self.state.borrow_mut().echo = true,
            ("+IPR", Op::Read) => {
                let rate = self.rate();
                self.answer(&format!("+IPR: {rate}"));
            }
            ("+IPR", Op::Set(args)) => {
                args.count(1, 1)?;
                let rate = args.number(0, SLOWEST_IPR..=1_000_000)?;
                if !RATES.contains(&rate) {
                    return Err(Fail::Error);
                }
                self.change_rate(rate as u32);
                return Ok(Done::Answered);
            }
            _ => return UNKNOWN,
        }
        OK
    }
}
