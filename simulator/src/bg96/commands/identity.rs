//! Basic commands, and the identity of the unit.

use super::super::Bg96;
use super::super::parser::{Fail, Op};
use super::super::state::UserProfile;
use super::{OK, Outcome, Reply, UNKNOWN};

const IMEI: &str = "866425030000017";

impl Bg96 {
    pub(super) fn basic(&self, name: &str, number: Option<u32>, reply: &mut Reply) -> Outcome {
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        let user = &mut state.user;
        match (name, number.unwrap_or(0)) {
            ("E", n @ 0..=1) => user.echo = n == 1,
            ("Q", n @ 0..=1) => user.quiet = n == 1,
            ("V", n @ 0..=1) => user.verbose = n == 1,
            ("X", 0..=4) => {}
            ("&C", n @ 0..=1) => user.dcd = n as u8,
            ("&D", n @ 0..=2) => user.dtr = n as u8,
            // The rate is not touched by &F and Z (sheet 1.3).
            ("&F", 0) => {
                *user = UserProfile {
                    rate: user.rate,
                    ..UserProfile::FACTORY
                }
            }
            ("Z", 0) => {
                *user = UserProfile {
                    rate: user.rate,
                    ..state.nv.user.clone()
                }
            }
            ("&W", 0) => state.nv.user = user.clone(),
            ("I", 0) => {
                let profile = &self.options.profile;
                reply.line("Quectel");
                reply.line(profile.model);
                reply.line(format!("Revision: {}", profile.revision));
            }
            _ => return UNKNOWN,
        }
        OK
    }

    pub(super) fn identity(&self, name: &str, op: &Op, reply: &mut Reply) -> Outcome {
        let profile = &self.options.profile;
        match (name, op) {
            ("GMI" | "CGMI", Op::Execute) => reply.line("Quectel"),
            ("GMM" | "CGMM", Op::Execute) => reply.line(profile.model),
            ("GMR" | "CGMR", Op::Execute) => reply.line(profile.revision),
            ("QGMR", Op::Execute) => reply.line(profile.full_revision),
            ("GSN" | "CGSN", Op::Execute) if self.options.lost_nv => return Err(Fail::Cme(23)),
            ("GSN" | "CGSN", Op::Execute) => reply.line(IMEI),
            (
                "GMI" | "CGMI" | "GMM" | "CGMM" | "GMR" | "CGMR" | "QGMR" | "GSN" | "CGSN",
                Op::Test,
            ) => {}
            _ => return UNKNOWN,
        }
        OK
    }
}
