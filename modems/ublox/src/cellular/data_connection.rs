//! The data connection of the sockets (sheet B.1.4).

use sectag::at::{Fields, answer};
use sectag::modem::{Then, World, ask, decide};
use sectag::{AtError, BringUpError, Code, Meaning};

use super::models::DataConnection;
use super::{Script, UbloxCellular, causes, script};

/// The time limit of an activation, in milliseconds.
const ACTIVATION: u32 = 180_000;

impl UbloxCellular {
    /// Chooses the script of the model.
    pub(crate) const DATA: Script = &[decide(|modem, _, _| {
        Then::To(match modem.row().data {
            DataConnection::Profile => script::PROFILE,
            DataConnection::Attach => script::ATTACHED,
            DataConnection::Bound | DataConnection::Context => script::CONTEXT,
        })
    })];

    /// Checks the context of the attach, which is context 1.
    pub(crate) const ATTACHED: Script = &[
        ask("AT+CGACT?").limit(100).then(Self::is_attached),
        decide(|_, _, _| Then::To(script::CONTEXT)),
    ];

    /// Activates the context, even if it is reported as active: the internal sockets may not use it yet
    /// (sheet D 9).
    pub(crate) const CONTEXT: Script = &[
        ask("AT+CGACT=1,1").limit(1500).then(Self::activated),
        decide(Self::is_bound),
        ask("AT+UPSND=0,8").then(Self::profile_told),
        ask("AT+UPSD=0,0,0"),
        ask("AT+UPSD=0,100,1"),
        decide(|_, _, _| Then::To(script::ACTIVATE)),
    ];

    /// Checks the internal profile of models without LTE, which has an APN of its own.
    pub(crate) const PROFILE: Script = &[
        ask("AT+UPSND=0,8").then(Self::profile_told),
        decide(Self::has_apn),
        decide(|_, _, _| Then::To(script::ACTIVATE)),
    ];

    /// Writes the configured access point into the profile.
    pub(crate) const PROFILE_APN: Script = &[
        ask("AT+UPSD=0,1,\"{a}\""),
        ask("AT+UPSD=0,2,\"{u}\""),
        ask("AT+UPSD=0,3,\"{w}\""),
        ask("AT+UPSD=0,6,{x}"),
        ask("AT+UPSD=0,7,\"0.0.0.0\""),
        decide(|_, _, _| Then::To(script::ACTIVATE)),
    ];

    /// Activates the profile. `OK` may come at once, and the result later.
    pub(crate) const ACTIVATE: Script = &[
        ask("AT+UPSDA=0,3").limit(1800).then(Self::activating),
        decide(Self::profile_activated),
    ];

    fn refused(world: &mut World<'_>, code: Code) -> Then {
        world.fail(BringUpError::PdpRefused(causes::activation_refused(code)))
    }

    /// Goes on with the activation unless the context is listed as active.
    fn is_attached(&mut self, _: &mut World<'_>, text: Option<&[u8]>) -> Then {
        if text.is_some_and(is_active) {
            Then::End
        } else {
            Then::Next
        }
    }

    fn activated(&mut self, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
        match answer {
            Some(_) => Then::Next,
            None => Self::refused(world, world.code),
        }
    }

    fn is_bound(&mut self, _: &mut World<'_>, _: Option<&[u8]>) -> Then {
        match self.row().data {
            DataConnection::Bound => Then::Next,
            _ => Then::End,
        }
    }

    /// Ends if `+UPSND: 0,8,1` says that the profile is active.
    fn profile_told(&mut self, _: &mut World<'_>, text: Option<&[u8]>) -> Then {
        let active = text.and_then(|text| {
            let mut fields = Fields::new(answer(text, "+UPSND:")?);
            Some((fields.int()?, fields.int()?, fields.int()?))
        });
        if active == Some((0, 8, 1)) {
            Then::End
        } else {
            Then::Next
        }
    }

    fn has_apn(&mut self, _: &mut World<'_>, _: Option<&[u8]>) -> Then {
        if self.config.apn.is_some() {
            Then::To(script::PROFILE_APN)
        } else {
            Then::Next
        }
    }

    fn activating(&mut self, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
        if answer.is_none() {
            return Self::refused(world, world.code);
        }
        // If the result came already, this does not wait.
        world.booted = false;
        world.pause = ACTIVATION;
        Then::Park
    }

    /// Judges `+UUPSDA: 0,"<ip>"`, where 0 is success.
    fn profile_activated(&mut self, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
        if world.restarted {
            return world.fail(BringUpError::At {
                command: "AT+UPSDA",
                error: AtError::ModemReset,
            });
        }
        let text = world.report.0.get(..world.report.1.into());
        let result = text.and_then(|text| Fields::new(answer(text, "+UUPSDA:")?).int());
        match result {
            Some(0) => Then::End,
            Some(code) => Self::refused(
                world,
                Code::Vendor(code.min(u16::MAX.into()) as u16, Meaning::new("UUPSDA")),
            ),
            None => Self::refused(world, Code::Plain),
        }
    }
}

/// Returns whether context 1 is listed as active (`+CGACT: 1,1`).
pub(crate) fn is_active(text: &[u8]) -> bool {
    text.split(|&byte| byte == b'\n').any(|line| {
        let Some(text) = answer(line, "+CGACT:") else {
            return false;
        };
        let mut fields = Fields::new(text);
        fields.int() == Some(1) && fields.int() == Some(1)
    })
}

#[cfg(test)]
mod tests {
    use super::is_active;

    /// Sheet E.6 and E.17.
    #[test]
    fn an_active_context_is_found_among_others() {
        assert!(is_active(b"+CGACT: 1,1"));
        assert!(is_active(b"+CGACT: 2,1\r\n+CGACT:1,1"));
        for none in [&b""[..], b"+CGACT: 0,0", b"+CGACT: 1,0", b"+CGACT: 2,1"] {
            assert!(!is_active(none));
        }
    }
}
