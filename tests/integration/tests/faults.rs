//! The fault matrix, see `src/faults.rs`. By default every so many cells, all of them when
//! `SECTAG_EXHAUSTIVE` is set; `SECTAG_FAULT=Connect/Host/Flip@17` replays one.

use sectag_integration_tests::faults::{
    Golden, Phase, bg96, cc32xx, matrix, nrf9160, run, short_range, ublox,
};

#[test]
fn bring_up() {
    matrix(&bg96(), Phase::BringUp);
}

#[test]
fn store() {
    matrix(&bg96(), Phase::Store);
}

#[test]
fn connect() {
    matrix(&bg96(), Phase::Connect);
}

#[test]
fn send() {
    matrix(&bg96(), Phase::Send);
}

#[test]
fn receive() {
    matrix(&bg96(), Phase::Receive);
}

#[test]
fn close() {
    matrix(&bg96(), Phase::Close);
}

#[test]
fn two() {
    matrix(&bg96(), Phase::Two);
}

/// One current socket, native TLS, `#XCMNG`; and a handle in every command, the modem's TLS, `%CMNG`.
mod nrf9160_dialects {
    use super::{Phase, matrix, nrf9160};

    fn both(phase: Phase) {
        matrix(&nrf9160("3.1-native"), phase);
        matrix(&nrf9160("sm"), phase);
    }

    #[test]
    fn bring_up() {
        both(Phase::BringUp);
    }

    #[test]
    fn store() {
        both(Phase::Store);
    }

    #[test]
    fn connect() {
        both(Phase::Connect);
    }

    #[test]
    fn send() {
        both(Phase::Send);
    }

    #[test]
    fn receive() {
        both(Phase::Receive);
    }

    #[test]
    fn close() {
        both(Phase::Close);
    }

    #[test]
    fn two() {
        both(Phase::Two);
    }
}

/// Suites by number, a connect that blocks no one, reads before writes; and a list of suites, a bound profile.
mod ublox_models {
    use super::{Golden, Phase, matrix, run, ublox};

    /// A byte is lost anywhere in the answer to a write. Of `+USOWR: 0,30` a zero may be left, which says that nothing was
    /// taken; it was sent again then.
    #[test]
    fn a_count_that_lost_a_digit_sends_nothing_twice() {
        for model in ["sara-r4-02b", "sara-r5"] {
            let subject = ublox(model);
            let golden = Golden::of(&subject, Phase::Send);
            for at in 3..25 {
                let case = format!("Send/Modem/Drop@{at}").parse().unwrap();
                let attempt = run(&subject, &golden, case);
                assert_eq!(attempt.violations, [""; 0], "{model} {case}");
            }
        }
    }

    fn both(phase: Phase) {
        matrix(&ublox("sara-r4-02b"), phase);
        matrix(&ublox("sara-r5"), phase);
    }

    #[test]
    fn bring_up() {
        both(Phase::BringUp);
    }

    #[test]
    fn store() {
        both(Phase::Store);
    }

    #[test]
    fn connect() {
        both(Phase::Connect);
    }

    #[test]
    fn send() {
        both(Phase::Send);
    }

    #[test]
    fn receive() {
        both(Phase::Receive);
    }

    #[test]
    fn close() {
        both(Phase::Close);
    }

    #[test]
    fn two() {
        both(Phase::Two);
    }
}

/// Extended data mode.
mod ublox_short_range {
    use super::{Phase, matrix, short_range};

    #[test]
    fn bring_up() {
        matrix(&short_range("odin"), Phase::BringUp);
    }

    #[test]
    fn store() {
        matrix(&short_range("odin"), Phase::Store);
    }

    #[test]
    fn connect() {
        matrix(&short_range("odin"), Phase::Connect);
    }

    #[test]
    fn send() {
        matrix(&short_range("odin"), Phase::Send);
    }

    #[test]
    fn receive() {
        matrix(&short_range("odin"), Phase::Receive);
    }

    #[test]
    fn close() {
        matrix(&short_range("odin"), Phase::Close);
    }

    #[test]
    fn two() {
        matrix(&short_range("odin"), Phase::Two);
    }
}

/// TI's AT application.
mod cc32xx_at {
    use super::{Phase, cc32xx, matrix};

    #[test]
    fn bring_up() {
        matrix(&cc32xx(), Phase::BringUp);
    }

    #[test]
    fn store() {
        matrix(&cc32xx(), Phase::Store);
    }

    #[test]
    fn connect() {
        matrix(&cc32xx(), Phase::Connect);
    }

    #[test]
    fn send() {
        matrix(&cc32xx(), Phase::Send);
    }

    #[test]
    fn receive() {
        matrix(&cc32xx(), Phase::Receive);
    }

    #[test]
    fn close() {
        matrix(&cc32xx(), Phase::Close);
    }

    #[test]
    fn two() {
        matrix(&cc32xx(), Phase::Two);
    }
}
