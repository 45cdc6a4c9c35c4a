//! What the SIM says (`+CPIN`, 27.007), and what that means for a bring-up.

use crate::at::answer;
use crate::error::{BringUpError, Code};
use crate::status::SimState;

/// The state of the SIM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sim {
    /// Locked to another operator: `PH-NET PIN` and its like.
    Foreign,
    /// Not there, or not read yet.
    NotReady,
    /// It wants its PIN.
    Pin,
    /// Too many wrong PINs: it wants its PUK.
    Puk,
    /// It may be used.
    Ready,
}

impl Sim {
    /// Out of an answer such as `+CPIN: READY`; `None` where there is none in it.
    pub fn read(text: &[u8]) -> Option<Self> {
        let text = answer(text, "+CPIN:")?;
        let known = SIMS.iter().find(|(known, _)| *known == text);
        Some(known.map_or(Self::Foreign, |(_, sim)| *sim))
    }

    /// Out of the number with which the question was refused, where that says it.
    pub const fn of_code(code: Code) -> Option<Self> {
        Some(match code {
            Code::Cme(11 | 16) => Self::Pin,
            Code::Cme(12) => Self::Puk,
            Code::Cme(10 | 13 | 15) => Self::NotReady,
            _ => return None,
        })
    }

    /// As a status shows it.
    pub const fn state(self) -> SimState {
        match self {
            Self::Foreign => SimState::Foreign,
            Self::NotReady => SimState::Missing,
            Self::Pin => SimState::Pin,
            Self::Puk => SimState::Puk,
            Self::Ready => SimState::Ready,
        }
    }

    /// What a bring-up fails with where the SIM stays so. `entered` says that its PIN was entered.
    pub const fn problem(self, entered: bool) -> BringUpError {
        match self {
            Self::Foreign => BringUpError::SimForeign,
            Self::Pin if entered => BringUpError::SimPinRefused,
            Self::Pin => BringUpError::SimLocked,
            Self::Puk => BringUpError::SimPukNeeded,
            Self::NotReady | Self::Ready => BringUpError::SimMissing(Code::Plain),
        }
    }
}

static SIMS: [(&[u8], Sim); 7] = [
    (b"READY", Sim::Ready),
    // The second PIN guards other things than the network.
    (b"SIM PIN2", Sim::Ready),
    (b"SIM PUK2", Sim::Ready),
    (b"SIM PIN", Sim::Pin),
    (b"SIM PUK", Sim::Puk),
    (b"NOT READY", Sim::NotReady),
    (b"NOT INSERTED", Sim::NotReady),
];
