//! The state of the SIM (`+CPIN`, 27.007), and its part in a bring-up.

use crate::at::{Fields, answer};
use crate::error::{AtError, BringUpError, Code};
use crate::status::SimState;

/// The time limit for the modem to read the SIM, in milliseconds: Quectel's "reboot if the SIM is not identified in 20 s"
/// (bg96 sheet, 1.4). Until then modems report the SIM as missing or broken.
const READ_LIMIT: u32 = 20_000;
/// The pause before the next query of a SIM that could not take its PIN yet, in milliseconds.
const BUSY_PAUSE: u32 = 3000;
const PAUSE: u32 = 500;

/// The state of the SIM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sim {
    /// The modem is locked to another operator: `PH-NET PIN` and similar answers.
    Foreign,
    /// The modem reports that there is no SIM.
    Missing,
    /// The SIM was not read yet, or cannot be read.
    NotReady,
    /// The SIM needs its PIN.
    Pin,
    /// The SIM needs its PUK, after too many wrong PINs.
    Puk,
    /// The SIM may be used.
    Ready,
}

impl Sim {
    /// Reads the state from an answer such as `+CPIN: READY`; `None` where the answer has none that 27.007 knows. Words
    /// that a noisy line has altered are asked for again, and blame no operator.
    pub fn read(text: &[u8]) -> Option<Self> {
        let text = answer(text, "+CPIN:")?;
        match SIMS.iter().find(|(known, _)| *known == text) {
            Some((_, sim)) => Some(*sim),
            None => text.starts_with(LOCKED).then_some(Self::Foreign),
        }
    }

    /// Reads the state from the error number with which the query was refused; `None` where it is about something else.
    pub const fn of_code(code: Code) -> Option<Self> {
        Some(match code {
            Code::Cme(11 | 16) => Self::Pin,
            Code::Cme(12) => Self::Puk,
            Code::Cme(10) => Self::Missing,
            Code::Cme(3 | 13 | 14 | 15) => Self::NotReady,
            Code::Cme(5..=7 | 40..=48) => Self::Foreign,
            _ => return None,
        })
    }

    /// Returns the state for [`Status`](crate::Status).
    pub const fn state(self) -> SimState {
        match self {
            Self::Foreign => SimState::Foreign,
            Self::Missing => SimState::Missing,
            Self::NotReady => SimState::NotReady,
            Self::Pin => SimState::Pin,
            Self::Puk => SimState::Puk,
            Self::Ready => SimState::Ready,
        }
    }
}

/// The next action of a bring-up after an answer to `AT+CPIN?`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SimNext {
    /// Goes on: the SIM may be used.
    Ready,
    /// Asks how many attempts are left (`AT+CPINR`), enters the PIN only where [`SimEntry::has_tries`] allows it, and reports the
    /// result to [`SimEntry::entered`].
    Count,
    /// Repeats the query after this number of milliseconds.
    Wait(u32),
    /// Fails with this error.
    Fail(BringUpError),
}

/// The state machine that waits for a SIM and enters its PIN no more often than is safe, because the third wrong PIN in a
/// row blocks the SIM.
///
/// The PIN is entered once, and once more where the modem asks again after an entry that it did not answer or could not
/// take yet. It is never entered again after it was refused, or where the modem reports that attempts are used up. A
/// backend keeps this for as long as the firmware runs, so that a bring-up that fails does not start the count anew.
#[derive(Clone, Copy, Debug)]
pub struct SimEntry {
    /// The number of entries since the SIM was last seen ready.
    entries: u8,
    /// The PIN was refused as wrong.
    refused: bool,
    /// The SIM has taken the PIN since the modem last started.
    taken: bool,
    /// The SIM could not take the PIN yet.
    busy: bool,
    /// The error of an entry that failed without being refused.
    problem: BringUpError,
}

impl SimEntry {
    /// The initial state, with no entry made.
    pub const NEW: Self = Self {
        entries: 0,
        refused: false,
        taken: false,
        busy: false,
        problem: BringUpError::SimPinRefused,
    };

    /// Begins a start of the modem, in which it asks for the PIN anew.
    pub fn begin(&mut self) {
        self.taken = false;
        self.busy = false;
    }

    /// Judges an answer to `AT+CPIN?`, or its refusal with `code` where `answer` is `None`. `waited` is the time since the
    /// first query, in milliseconds; `has_pin` says whether a PIN is configured.
    pub fn asked(
        &mut self,
        answer: Option<&[u8]>,
        code: Code,
        waited: u32,
        has_pin: bool,
    ) -> SimNext {
        match answer {
            Some(text) => self.says(Sim::read(text), Code::Plain, waited, has_pin),
            None => self.says(Sim::of_code(code), code, waited, has_pin),
        }
    }

    /// Judges the state that the modem reported of the SIM, as [`asked`](Self::asked) does; `None` where the answer could
    /// not be understood.
    pub fn says(&mut self, said: Option<Sim>, code: Code, waited: u32, has_pin: bool) -> SimNext {
        self.refused |= code == Code::Cme(16);
        let problem = match said {
            Some(Sim::Ready) => {
                self.entries = 0;
                return SimNext::Ready;
            }
            Some(Sim::Foreign) => return SimNext::Fail(BringUpError::SimForeign),
            Some(Sim::Puk) => return SimNext::Fail(BringUpError::SimPukNeeded),
            Some(Sim::Pin) if self.refused => return SimNext::Fail(BringUpError::SimPinRefused),
            Some(Sim::Pin) if !has_pin => return SimNext::Fail(BringUpError::SimLocked),
            // After it has taken the PIN, the modem may go on asking for a moment. If it does so for longer, it has
            // refused the PIN.
            Some(Sim::Pin) if self.taken => BringUpError::SimPinRefused,
            Some(Sim::Pin) if core::mem::take(&mut self.busy) => return SimNext::Wait(BUSY_PAUSE),
            Some(Sim::Pin) => {
                self.entries += 1;
                return match self.entries {
                    1 | 2 => SimNext::Count,
                    _ => {
                        self.entries = 2;
                        SimNext::Fail(self.problem)
                    }
                };
            }
            Some(Sim::Missing) => BringUpError::SimMissing(code),
            Some(Sim::NotReady) | None => BringUpError::SimNotReady(code),
        };
        if waited < READ_LIMIT {
            SimNext::Wait(PAUSE)
        } else {
            SimNext::Fail(problem)
        }
    }

    /// Judges the entry of the PIN: `taken` with `OK`, `ended` without an answer, or refused with `code`. After `Ok` the
    /// caller queries the SIM again, after 500 ms.
    ///
    /// # Errors
    /// [`BringUpError::SimPinRefused`], or [`BringUpError::SimPukNeeded`] where the SIM is blocked.
    pub fn entered(
        &mut self,
        taken: bool,
        ended: Option<AtError>,
        code: Code,
    ) -> Result<(), BringUpError> {
        match (ended, code) {
            _ if taken => self.taken = true,
            (Some(error), _) => {
                self.problem = BringUpError::At {
                    command: "AT+CPIN",
                    error,
                };
            }
            // These numbers say nothing about the PIN.
            (None, Code::Cme(3 | 13 | 14)) => {
                self.problem = BringUpError::SimNotReady(code);
                self.busy = true;
            }
            (None, code) => {
                self.refused = true;
                return Err(if code == Code::Cme(12) {
                    BringUpError::SimPukNeeded
                } else {
                    BringUpError::SimPinRefused
                });
            }
        }
        Ok(())
    }

    /// Judges an answer to `AT+CPINR="SIM PIN"` (27.007, remaining PIN retries): whether the PIN may be entered. A modem
    /// that does not know the query does not prevent it.
    ///
    /// # Errors
    /// [`BringUpError::SimPinRefused`]: before the first entry where one attempt is left, which is a person's, since an MCU
    /// that restarts with a wrong PIN would use them all; before the second where one is used up, since the entry without an
    /// answer may have been refused.
    pub fn has_tries(&mut self, answer: Option<&[u8]>) -> Result<(), BringUpError> {
        let first = self.entries == 1;
        let used_up = |(left, of)| if first { left <= 1 } else { left < of };
        if answer.and_then(tries).is_some_and(used_up) {
            self.refused = true;
            return Err(BringUpError::SimPinRefused);
        }
        Ok(())
    }
}

/// Reads the number of attempts that are left, and their full number, from `+CPINR: "SIM PIN",<left>[,<of>]`, with or
/// without the quotes.
fn tries(text: &[u8]) -> Option<(u32, u32)> {
    let mut fields = Fields::new(answer(text, "+CPINR:")?);
    match fields.next()? {
        b"SIM PIN" | b"\"SIM PIN\"" => Some((fields.int()?, fields.int().unwrap_or(3))),
        _ => None,
    }
}

/// The beginning of every lock of the modem to a SIM or an operator (27.007, `+CPIN`): `PH-SIM PIN`, `PH-NET PIN`, `PH-SP PUK`.
const LOCKED: &[u8] = b"PH-";

static SIMS: [(&[u8], Sim); 7] = [
    (b"READY", Sim::Ready),
    // The second PIN does not protect access to the network.
    (b"SIM PIN2", Sim::Ready),
    (b"SIM PUK2", Sim::Ready),
    (b"SIM PIN", Sim::Pin),
    (b"SIM PUK", Sim::Puk),
    (b"NOT READY", Sim::NotReady),
    (b"NOT INSERTED", Sim::Missing),
];

#[cfg(test)]
mod tests {
    use super::*;

    const PIN: Option<&[u8]> = Some(b"+CPIN: SIM PIN");
    const READY: Option<&[u8]> = Some(b"+CPIN: READY");

    fn asked(entry: &mut SimEntry, answer: Option<&[u8]>) -> SimNext {
        entry.asked(answer, Code::Plain, 0, true)
    }

    fn refused(entry: &mut SimEntry, number: u16, waited: u32) -> SimNext {
        entry.asked(None, Code::Cme(number), waited, true)
    }

    /// The answers while the SIM is read are also those of a broken SIM (bg96 sheet 1.4).
    #[test]
    fn what_is_not_ready_is_waited_for_and_called_missing_only_by_the_modem() {
        for number in [0, 3, 10, 13, 14, 15, 100, 999] {
            let mut entry = SimEntry::NEW;
            for waited in [0, 19_999] {
                let next = refused(&mut entry, number, waited);
                assert_eq!(next, SimNext::Wait(PAUSE), "{number}");
            }
            let code = Code::Cme(number);
            let expected = if number == 10 {
                BringUpError::SimMissing(code)
            } else {
                BringUpError::SimNotReady(code)
            };
            let next = refused(&mut entry, number, READ_LIMIT);
            assert_eq!(next, SimNext::Fail(expected), "{number}");
        }
    }

    #[test]
    fn sim_errors_that_need_a_person_are_reported_at_once() {
        for (number, error) in [
            (5, BringUpError::SimForeign),
            (12, BringUpError::SimPukNeeded),
            (16, BringUpError::SimPinRefused),
            (40, BringUpError::SimForeign),
            (48, BringUpError::SimForeign),
        ] {
            let mut entry = SimEntry::NEW;
            let next = refused(&mut entry, number, 0);
            assert_eq!(next, SimNext::Fail(error), "{number}");
        }
        let mut entry = SimEntry::NEW;
        let next = entry.asked(PIN, Code::Plain, 0, false);
        assert_eq!(next, SimNext::Fail(BringUpError::SimLocked));
        assert_eq!(refused(&mut entry, 11, 0), SimNext::Count);
    }

    #[test]
    fn only_the_words_of_a_lock_say_that_the_modem_is_locked() {
        for (word, expected) in [
            ("READY", Some(Sim::Ready)),
            ("SIM PIN2", Some(Sim::Ready)),
            ("PH-SIM PIN", Some(Sim::Foreign)),
            ("PH-NET PUK", Some(Sim::Foreign)),
            ("PH-CORP PIN", Some(Sim::Foreign)),
            ("REA\x01Y", None),
            ("99999999999999999999", None),
            ("", None),
        ] {
            let mut answer = *b"+CPIN: ....................";
            let len = 7 + word.len();
            answer[7..len].copy_from_slice(word.as_bytes());
            assert_eq!(Sim::read(&answer[..len]), expected, "{word:?}");
        }
        // It is asked again, until the time is up in which a SIM is read.
        let mut entry = SimEntry::NEW;
        let altered = Some(&b"+CPIN: REA\x01Y"[..]);
        assert_eq!(asked(&mut entry, altered), SimNext::Wait(PAUSE));
        assert_eq!(asked(&mut entry, READY), SimNext::Ready);
        let late = entry.asked(altered, Code::Plain, READ_LIMIT, true);
        let unread = BringUpError::SimNotReady(Code::Plain);
        assert_eq!(late, SimNext::Fail(unread));
    }

    #[test]
    fn a_pin_that_was_refused_is_never_entered_again() {
        for code in [Code::Cme(16), Code::Cme(12), Code::Plain, Code::Cme(100)] {
            let mut entry = SimEntry::NEW;
            assert_eq!(asked(&mut entry, PIN), SimNext::Count);
            assert!(entry.entered(false, None, code).is_err(), "{code:?}");
            for _ in 0..3 {
                entry.begin();
                let next = asked(&mut entry, PIN);
                assert_eq!(next, SimNext::Fail(BringUpError::SimPinRefused), "{code:?}");
            }
        }
    }

    #[test]
    fn a_pin_that_was_swallowed_is_entered_once_more_and_then_no_more() {
        let mut entry = SimEntry::NEW;
        assert_eq!(asked(&mut entry, PIN), SimNext::Count);
        let late = Some(AtError::Timeout);
        assert_eq!(entry.entered(false, late, Code::Plain), Ok(()));
        assert_eq!(asked(&mut entry, PIN), SimNext::Count);
        assert_eq!(entry.has_tries(None), Ok(()));
        assert_eq!(entry.entered(false, late, Code::Plain), Ok(()));
        let problem = BringUpError::At {
            command: "AT+CPIN",
            error: AtError::Timeout,
        };
        for _ in 0..3 {
            entry.begin();
            assert_eq!(asked(&mut entry, PIN), SimNext::Fail(problem));
        }
        // The SIM had taken the PIN.
        assert_eq!(asked(&mut entry, READY), SimNext::Ready);
        assert_eq!(asked(&mut entry, PIN), SimNext::Count);
    }

    #[test]
    fn a_busy_sim_gets_its_time_before_the_second_entry() {
        let mut entry = SimEntry::NEW;
        assert_eq!(asked(&mut entry, PIN), SimNext::Count);
        assert_eq!(entry.entered(false, None, Code::Cme(14)), Ok(()));
        assert_eq!(asked(&mut entry, PIN), SimNext::Wait(BUSY_PAUSE));
        assert_eq!(asked(&mut entry, PIN), SimNext::Count);
        assert_eq!(entry.entered(true, None, Code::Plain), Ok(()));
        // The modem goes on asking for some moments after it has taken the PIN.
        assert_eq!(asked(&mut entry, PIN), SimNext::Wait(PAUSE));
        assert_eq!(asked(&mut entry, READY), SimNext::Ready);
    }

    /// An MCU that restarts with a wrong PIN must not use up all attempts.
    #[test]
    fn the_last_attempt_is_left_to_a_person() {
        for (text, left) in [
            ("+CPINR: \"SIM PIN\",1", false),
            ("+CPINR: SIM PIN,0,3", false),
            ("+CPINR: \"SIM PIN\",2", true),
            ("+CPINR: \"SIM PIN2\",1", true),
            ("+CPINR: x", true),
        ] {
            let mut entry = SimEntry::NEW;
            assert_eq!(asked(&mut entry, PIN), SimNext::Count);
            let told = entry.has_tries(Some(text.as_bytes()));
            assert_eq!(told.is_ok(), left, "{text}");
            let next = asked(&mut entry, PIN);
            let refused = SimNext::Fail(BringUpError::SimPinRefused);
            assert_eq!(next == refused, !left, "{text}");
        }
    }

    #[test]
    fn a_pin_is_not_entered_again_once_a_try_is_gone() {
        for (text, left) in [
            ("+CPINR: \"SIM PIN\",1", false),
            ("+CPINR: SIM PIN,0,3", false),
            ("+CPINR: \"SIM PIN\",2", false),
            ("+CPINR: \"SIM PIN\",3", true),
            ("+CPINR: SIM PIN,2,2", true),
            ("+CPINR: \"SIM PIN2\",1", true),
            ("+CPINR: x", true),
        ] {
            let mut entry = SimEntry::NEW;
            let told = entry.has_tries(Some(text.as_bytes()));
            assert_eq!(told.is_ok(), left, "{text}");
        }
    }
}
