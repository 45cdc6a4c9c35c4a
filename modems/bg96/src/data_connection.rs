//! The data connection, which is a PDP context (sheet 1.6).

use sectag::at::{Fields, answer, at_command};
use sectag::modem::{Then, World, ask};
use sectag::{At, BringUpError, Cause, Code};

use crate::{ACTIVATE, Bg96, DEACTIVATE, Options, SET_CONTEXT, Script, WHY_NOT_ACTIVE, causes};

/// The PDP context that sectag uses.
pub(crate) const PDP_CONTEXT: u32 = 1;

impl<O: Options> Bg96<O> {
    /// Asks whether the PDP context is active. An active one must not be activated again: some firmware
    /// answers `ERROR` (sheet 1.6). A context that is not listed may be active all the same.
    pub(crate) const DATA_CONNECTION: Script<O> =
        &[ask("AT+QIACT?").limit(1500).then(Self::may_be_active)];

    /// Deactivates the PDP context, in whatever state it is. This closes all sockets.
    pub(crate) const DEACTIVATE: Script<O> =
        &[ask("AT+QIDEACT=1").limit(400).then(Self::deactivated)];

    /// Writes the configured access point.
    pub(crate) const SET_CONTEXT: Script<O> =
        &[ask("AT+QICSGP=1,1,\"{a}\",\"{u}\",\"{w}\",{x}").then(Self::context_set)];

    /// Activates the PDP context.
    pub(crate) const ACTIVATE: Script<O> = &[ask("AT+QIACT=1").limit(1500).then(Self::activated)];

    /// Asks for the number behind a refused activation.
    pub(crate) const WHY_NOT_ACTIVE: Script<O> = &[ask("AT+QIGETERROR")
        .even_unanswered()
        .then(Self::not_activated)];

    fn may_be_active(&mut self, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
        if answer.is_some_and(is_active) {
            return self.clock_at_bring_up(world);
        }
        Then::To(self.first_of_activation())
    }

    fn first_of_activation(&self) -> u8 {
        if self.config.apn.is_some() {
            SET_CONTEXT
        } else {
            ACTIVATE
        }
    }

    fn deactivated(&mut self, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
        self.context_lost = false;
        world.network_lost = false;
        if self.bring_up.after_deactivation == 0 {
            self.bring_up.after_deactivation = self.first_of_activation();
        }
        Then::To(self.bring_up.after_deactivation)
    }

    fn context_set(&mut self, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
        match answer {
            Some(_) => Then::To(ACTIVATE),
            None => self.refused_by_context(world, SET_CONTEXT),
        }
    }

    fn activated(&mut self, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
        match answer {
            Some(_) => self.clock_at_bring_up(world),
            None => self.refused_by_context(world, ACTIVATE),
        }
    }

    /// Handles the refusal of a context command. A context that the network closed in an earlier life
    /// of the host, or that is active but not listed, refuses every command until it is deactivated,
    /// and the modem gives no other sign of it (sheet 1.6). So the first refusal leads to a
    /// deactivation, and only the second is about the network.
    fn refused_by_context(&mut self, world: &mut World<'_>, script: u8) -> Then {
        self.bring_up.refused = world.code;
        if self.bring_up.after_deactivation == 0 {
            self.bring_up.after_deactivation = script;
            return Then::To(DEACTIVATE);
        }
        if O::ESCALATION {
            self.context_refused();
        }
        Then::To(WHY_NOT_ACTIVE)
    }

    fn not_activated(&mut self, world: &mut World<'_>, text: Option<&[u8]>) -> Then {
        let refusal = causes::activation_refused(explained(self.bring_up.refused, text));
        world.fail(BringUpError::PdpRefused(if self.config.apn.is_some() {
            refusal.without(Cause::ApnMissing)
        } else {
            refusal
        }))
    }
}

/// Returns whether an answer lists our context as active: `+QIACT: 1,1,1,"10.1.2.3"`, one line for each
/// context.
pub(crate) fn is_active(text: &[u8]) -> bool {
    text.split(|&byte| byte == b'\n')
        .filter_map(|line| answer(line, "+QIACT:"))
        .any(|text| {
            let mut fields = Fields::new(text);
            fields.int() == Some(PDP_CONTEXT) && fields.int() == Some(1)
        })
}

/// Returns the number that `+QIGETERROR: 569,<text>` gives for a bare `ERROR`; without one, `code`.
pub(crate) fn explained(code: Code, text: Option<&[u8]>) -> Code {
    let number = text.and_then(|text| Fields::new(answer(text, "+QIGETERROR:")?).int());
    match number {
        Some(number) if number != 0 => number.try_into().map_or(code, causes::vendor),
        _ => code,
    }
}

struct LastError;
at_command!(LastError, 3000, "+QIGETERROR", |self, line| line);

/// Asks for the number behind a bare `ERROR` to a command that a user typed. `AT+QIGETERROR` knows only
/// the errors of the `QI` and `QSSL` families (sheet 4.6).
pub(crate) async fn explain<O: Options>(at: &At<'_, Bg96<O>>, command: &str, code: Code) -> Code {
    let family = |name: &str| {
        command
            .get(2..2 + name.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(name))
    };
    if code != Code::Plain || !(family("+QI") || family("+QSSL")) {
        return code;
    }
    let mut better = code;
    let _ = at
        .lines(&LastError, &mut |line| {
            better = explained(better, Some(line))
        })
        .await;
    better
}
