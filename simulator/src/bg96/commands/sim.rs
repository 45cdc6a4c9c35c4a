//! The commands of the SIM (sheet 1.4).

use super::super::Bg96;
use super::super::parser::{Fail, Op};
use super::super::state::SimObstacle;
use super::{OK, Outcome, Reply, UNKNOWN};
use crate::options::Sim;

const IMSI: &str = "001010000000017";
/// The ICCID, with the trailing F that some SIMs show (sheet 1.3).
const ICCID: &str = "8900100000000000017F";

impl Bg96 {
    fn require_sim(&self) -> Result<(), Fail> {
        match self.state.borrow().sim_obstacle(&self.options.sim) {
            None => Ok(()),
            Some(SimObstacle::Missing) => Err(Fail::Cme(10)),
            Some(SimObstacle::Busy) => Err(Fail::Cme(14)),
            // Network personalisation (sheet 1.4: 40 to 47).
            Some(SimObstacle::Foreign) => Err(Fail::Cme(40)),
            Some(SimObstacle::Pin) => Err(Fail::Cme(11)),
            Some(SimObstacle::Puk) => Err(Fail::Cme(12)),
        }
    }

    pub(super) fn sim(&self, name: &str, op: &Op, reply: &mut Reply) -> Outcome {
        match (name, op) {
            ("CPIN", Op::Read) => match self.state.borrow().sim_obstacle(&self.options.sim) {
                None => reply.line("+CPIN: READY"),
                Some(SimObstacle::Foreign) => reply.line("+CPIN: PH-NET PIN"),
                Some(SimObstacle::Pin) => reply.line("+CPIN: SIM PIN"),
                Some(SimObstacle::Puk) => reply.line("+CPIN: SIM PUK"),
                Some(SimObstacle::Missing) => return Err(Fail::Cme(10)),
                Some(SimObstacle::Busy) => return Err(Fail::Cme(14)),
            },
            ("CPIN", Op::Set(args)) => {
                args.count(1, 2)?;
                // `AT+CPIN=1234` and `AT+CPIN="1234"` both work (sheet 1.4).
                return self.enter_pin(args.text(0)?, args.len() == 2);
            }
            ("CPIN", Op::Test) => {}
            ("CIMI", Op::Execute) => {
                self.require_sim()?;
                reply.line(IMSI);
            }
            ("QCCID", Op::Execute) => {
                if self.options.sim == Sim::Missing {
                    return Err(Fail::Cme(10));
                }
                reply.line(format!("+QCCID: {ICCID}"));
            }
            ("QINISTAT", Op::Execute) => {
                let ready = self.require_sim().is_ok();
                reply.line(format!("+QINISTAT: {}", if ready { 3 } else { 0 }));
            }
            ("QSIMSTAT", Op::Read) => {
                let inserted = u8::from(self.options.sim != Sim::Missing);
                reply.line(format!(
                    "+QSIMSTAT: {},{inserted}",
                    self.state.borrow().sim_reports
                ));
            }
            ("QSIMSTAT", Op::Set(args)) => {
                args.count(1, 1)?;
                self.state.borrow_mut().sim_reports = args.byte(0, 0, 1)?;
            }
            ("QSIMDET", Op::Read) => {
                let (enabled, level) = self.state.borrow().nv.sim_detect;
                reply.line(format!("+QSIMDET: {enabled},{level}"));
            }
            ("QSIMDET", Op::Set(args)) => {
                args.count(2, 2)?;
                self.state.borrow_mut().nv.sim_detect = (args.byte(0, 0, 1)?, args.byte(1, 0, 1)?);
            }
            _ => return UNKNOWN,
        }
        OK
    }

    fn enter_pin(&self, pin: &str, with_new: bool) -> Outcome {
        let obstacle = self.state.borrow().sim_obstacle(&self.options.sim);
        match (obstacle, &self.options.sim) {
            (Some(SimObstacle::Missing), _) => Err(Fail::Cme(10)),
            (Some(SimObstacle::Busy), _) => Err(Fail::Cme(14)),
            // Unblocking by PUK is not modelled.
            (Some(SimObstacle::Puk | SimObstacle::Foreign), _) => Err(Fail::Cme(16)),
            (Some(SimObstacle::Pin), Sim::PinRequired(right)) if pin == right && !with_new => {
                {
                    let mut state = self.state.borrow_mut();
                    state.pin_entered = true;
                    state.pin_tries = 3;
                }
                self.sim_urcs();
                OK
            }
            (Some(SimObstacle::Pin), _) => {
                let mut state = self.state.borrow_mut();
                state.pin_tries = state.pin_tries.saturating_sub(1);
                Err(Fail::Cme(if state.pin_tries == 0 { 12 } else { 16 }))
            }
            (None, _) => Err(Fail::Cme(3)),
        }
    }
}
