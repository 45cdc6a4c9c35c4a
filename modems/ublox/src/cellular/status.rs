//! The module's identity and state for `Control::status` (sheet B.1).

use sectag::at::{answer, at_command};
use sectag::cellular::{Sim, digits, report};
use sectag::modem::{Cellular, Full, HasClock, Reports, There};
use sectag::{At, AtError, Code, SimCard, Status};

use super::UbloxCellular;

const QUICK: u32 = 5000;

/// A query without arguments that the module answers by itself.
pub(crate) struct Ask(pub(crate) &'static str);
at_command!(Ask, QUICK, self.0, |self, line| line);

/// A query that the module may pass on to the network.
struct AskNetwork(&'static str);
at_command!(AskNetwork, 180_000, self.0, |self, line| line);

/// The queries in this order, since a later answer may be better than an earlier one.
const QUESTIONS: [&str; 8] = [
    "+CGMI",
    "+CGMM",
    "+CGMR",
    "+CGSN",
    "+CGREG?",
    "+CEREG?",
    "+CSQ",
    "+CGPADDR=1",
];

impl Reports for UbloxCellular {
    /// Explains a bare `ERROR` to a socket command by `+USOER` (sheet B.1.1).
    async fn explain(at: &At<'_, Self>, command: &str, code: Code) -> Code {
        if code != Code::Plain || !command.starts_with("AT+USO") {
            return code;
        }
        let mut number = None;
        let asked = at
            .lines(&Ask("+USOER"), &mut |line| {
                let text = sectag::at::answer(line, "+USOER:");
                number = text.and_then(sectag::at::decimal);
            })
            .await;
        match (asked, number) {
            (Ok(()), Some(number @ 1..=0xffff)) => super::causes::vendor(number as u16),
            (Err(AtError::Refused(_)), _) | (_, _) => code,
        }
    }

    async fn status(at: &At<'_, Self>, status: &mut Status) {
        for name in QUESTIONS {
            // A refusal is fine: this firmware does not know the query.
            let _ = at
                .lines(&Ask(name), &mut |line| report(name, line, status))
                .await;
        }
        let operator = AskNetwork("+COPS?");
        let _ = at
            .lines(&operator, &mut |line| report("+COPS?", line, status))
            .await;
        let sim = at
            .lines(&Ask("+CPIN?"), &mut |line| report("+CPIN?", line, status))
            .await;
        if let Err(AtError::Refused(code)) = sim {
            status.sim = Sim::of_code(code).map(Sim::state);
        }
        status.clock = Self::clock(at).await.ok().flatten();
    }
}

impl Cellular for UbloxCellular {
    async fn sim(at: &At<'_, Self>) -> Result<SimCard, AtError> {
        let mut card = SimCard::UNKNOWN;
        let iccid = at
            .lines(&Ask("+CCID"), &mut |line| {
                card.iccid = answer(line, "+CCID:").and_then(digits);
            })
            .await;
        let imsi = at
            .lines(&Ask("+CIMI"), &mut |line| card.imsi = digits(line))
            .await;
        match (iccid, imsi) {
            // Both failed: the error says more than an empty answer.
            (Err(error), Err(_)) => Err(error),
            _ => Ok(card),
        }
    }
}

impl Full for UbloxCellular {
    type Clock = There;
    type Sim = There;
    type Lines = There;
}
