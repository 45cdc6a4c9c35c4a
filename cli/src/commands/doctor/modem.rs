//! The modem itself: from the first answer to the data connection, its clock and its firmware.

use sectag::clock::{DateTime, MIN_DATE};
use sectag::modem::{ClockPart, Full, SimPart};
use sectag::{
    AtError, BringUpError, ConnectError, Control, Feature, Registration, Signal, SimState, Status,
    TlsConfig,
};

use super::{Examination, answers};
use crate::args::TlsArgs;
use crate::failure::Failure;
use crate::hints;
use crate::session::{self, Session, host_clock};

impl Examination<'_> {
    /// From the first answer to the data connection. The bring-up stops at its first obstacle, so what comes before
    /// that is in order.
    pub(super) fn modem<M: Full>(
        &self,
        status: &Status,
        other_speed: Option<u32>,
        tried: &str,
    ) -> Result<(), Failure> {
        let failed = |what| match &status.problem {
            Some(problem) => self.list.fails(what, hints::bring_up(problem, tried)),
            None => Failure::new(format!("{what}: the modem does not say")),
        };
        let problem = status.problem.as_ref();
        if problem.is_some_and(session::is_no_answer) {
            return Err(failed(answers::<M>()));
        }
        if let Some(BringUpError::At { error, .. }) = problem
            && !matches!(error, AtError::Refused(_))
        {
            return Err(failed(answers::<M>()));
        }
        let speed = other_speed.map_or_else(String::new, |baud| {
            format!(", at {baud} baud and not at {}", self.args.modem.baud)
        });
        self.list
            .ok(answers::<M>(), &format!("{}{speed}", identity(status)))?;
        if let Some(BringUpError::SettingRefused { .. }) = problem {
            return Err(failed("settings"));
        }
        if !M::Sim::THERE {
            if problem.is_some() {
                return Err(failed("network"));
            }
            if status.signal != Signal::default() {
                self.list.line("info", "signal", &signal(status))?;
            }
            let address = status.address.as_ref().map_or("up", |address| address);
            return self.list.ok("network", address);
        }
        let sim_failed = matches!(
            problem,
            Some(
                BringUpError::SimMissing(_)
                    | BringUpError::SimNotReady(_)
                    | BringUpError::SimLocked
                    | BringUpError::SimPinRefused
                    | BringUpError::SimPukNeeded
                    | BringUpError::SimForeign
            )
        );
        if sim_failed || status.sim.is_some_and(|sim| sim != SimState::Ready) {
            return Err(failed("SIM"));
        }
        self.list.ok("SIM", "ready")?;
        self.list.line("info", "signal", &signal(status))?;
        let registered = status.registration.is_some_and(Registration::is_registered);
        if !registered || matches!(problem, Some(BringUpError::NotRegistered { .. })) {
            return Err(failed("registration"));
        }
        self.list.ok("registration", &registration(status))?;
        if problem.is_some() {
            return Err(failed("data connection"));
        }
        let address = status.address.as_ref().map_or("up", |address| address);
        self.list.ok("data connection", address)
    }

    pub(super) async fn clock<M: Full>(
        &self,
        session: &Session<'_, M>,
    ) -> Result<DateTime, Failure> {
        const WHAT: &str = "clock";
        let fails = |failure| self.list.fails(WHAT, failure);
        session.set_clock().await.map_err(fails)?;
        if !M::Clock::THERE {
            self.list.line(
                "info",
                WHAT,
                "this modem has none: dates are judged by this computer's",
            )?;
            return host_clock()
                .ok_or_else(|| fails(Failure::new("this computer's clock shows no date: set it")));
        }
        let now = session
            .control
            .clock_if_any()
            .await
            .map_err(|error| fails(hints::at("the modem's clock", &error)))?;
        match now {
            Some(now) if now >= MIN_DATE => {
                self.list.ok(WHAT, &now.to_string())?;
                Ok(now)
            }
            now => Err(fails(
                Failure::new(format!(
                    "the modem's clock says {}, so it cannot tell whether a certificate is valid",
                    now.map_or("nothing".into(), |now| now.to_string())
                ))
                .hint("set it from this computer: --set-clock host"),
            )),
        }
    }

    /// What no credential and no server can mend.
    pub(super) fn firmware<M: Full>(
        &self,
        control: Control<'_, M>,
        tls: &TlsArgs,
    ) -> Result<(), Failure> {
        const WHAT: &str = "firmware";
        match control.admit(&TlsConfig::new(tls.tag)) {
            Err(error @ ConnectError::Firmware { .. }) => {
                Err(self.list.fails(WHAT, hints::connect_at_all(&error)))
            }
            Err(error @ ConnectError::Lacks(Feature::FlowControl)) => Err(self
                .list
                .fails("flow control", hints::connect_at_all(&error))),
            // The rest is for the policy and for the server to decide.
            _ => self.list.ok(WHAT, "TLS sockets can be used"),
        }
    }
}

fn identity(status: &Status) -> String {
    let parts = [
        status.manufacturer.as_deref(),
        status.model.as_deref(),
        status.firmware.as_deref(),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn registration(status: &Status) -> String {
    let mut parts: Vec<String> = Vec::new();
    parts.extend(status.registration.map(|state| state.to_string()));
    parts.extend(status.operator.as_ref().map(|name| name.to_string()));
    parts.extend(status.technology.map(|technology| technology.to_string()));
    parts.extend(status.band.as_ref().map(|band| band.to_string()));
    parts.join(", ")
}

fn signal(status: &Status) -> String {
    let signal = &status.signal;
    let (figure, value, poor) = match (signal.rsrp, signal.rssi) {
        (Some(rsrp), _) => ("RSRP", rsrp, rsrp < -115),
        (None, Some(rssi)) => ("RSSI", rssi, rssi < -105),
        (None, None) => return "no cell is heard".into(),
    };
    let poor = if poor {
        ", which is poor: check the antenna"
    } else {
        ""
    };
    format!("{figure} {value} dBm{poor}")
}
