//! The commands for functionality, reset and power down (sheet 1.1).

use std::rc::Rc;

use embassy_time::{Duration, Timer};

use super::super::Bg96;
use super::super::parser::{Fail, Op};
use super::{Done, OK, Outcome, Reply, UNKNOWN};

impl Bg96 {
    pub(super) async fn power(self: &Rc<Self>, name: &str, op: &Op, reply: &mut Reply) -> Outcome {
        match (name, op) {
            ("CFUN", Op::Read) => {
                reply.line(format!("+CFUN: {}", self.state.borrow().functionality))
            }
            ("CFUN", Op::Test) => reply.line("+CFUN: (0,1,4),(0,1)"),
            ("CFUN", Op::Set(args)) => {
                args.count(1, 2)?;
                let level = args.byte(0, 0, 4)?;
                if !matches!(level, 0 | 1 | 4) {
                    return Err(Fail::Error);
                }
                if level == 1 && self.options.lost_nv {
                    return Err(Fail::Cme(0));
                }
                if args.number_or(1, 0, 1, 0)? == 1 {
                    if level != 1 {
                        return Err(Fail::Error);
                    }
                    self.finish("OK", 0);
                    // T4.
                    self.core.send(b"\r\nPOWERED DOWN\r\n");
                    self.announce_lost_pdps();
                    self.reboot();
                    return Ok(Done::Answered);
                }
                self.state.borrow_mut().functionality = level;
                if level == 1 {
                    self.core.touch()
                } else {
                    self.unregister()
                }
            }
            ("QPOWD", Op::Execute) => return self.power_down(true).await,
            ("QPOWD", Op::Set(args)) => {
                args.count(1, 1)?;
                return self.power_down(args.byte(0, 0, 1)? == 1).await;
            }
            // TRAP, sheet 1.6 (mbed-os issue 9749): later firmware hangs until it is reset.
            ("CGACT", _) => return std::future::pending().await,
            _ => return UNKNOWN,
        }
        OK
    }

    /// Reports lost contexts while the modem shuts down, even if no host listens.
    fn announce_lost_pdps(&self) {
        let state = self.state.borrow();
        if !self.options.profile.announces_lost_pdp_at_restart || state.nv.urc_port != "uart1" {
            return;
        }
        let lost = state
            .pdp
            .keys()
            .copied()
            .filter(|context| state.active(*context));
        let lost: Vec<u8> = lost.collect();
        let core = self.core.clone();
        self.core.spawn(async move {
            // T4.
            Timer::after(Duration::from_secs(3)).await;
            for context in lost {
                core.send(format!("\r\n+QIURC: \"pdpdeact\",{context}\r\n").as_bytes());
            }
        });
    }

    async fn power_down(&self, orderly: bool) -> Outcome {
        self.finish("OK", 0);
        // The detach from the network takes its time (sheet 1.1).
        Timer::after(Duration::from_millis(if orderly { 2000 } else { 100 })).await;
        if orderly && !self.options.profile.announces_power_down {
            self.switch_off_silently();
        } else {
            self.switch_off();
        }
        Ok(Done::Answered)
    }
}
