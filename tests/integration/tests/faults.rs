//! The fault matrix, see `src/faults.rs`. By default every so many cells, all of them when
//! `SECTAG_EXHAUSTIVE` is set; `SECTAG_FAULT=Connect/Host/Flip@17` replays one.

use sectag_integration_tests::faults::{
    Golden, Phase, bg96, cc32xx, matrix, nrf9160, run, short_range, ublox,
};

/// The tests of one or more modems: one for each phase.
macro_rules! each_phase {
    ($($subject:expr),+) => {
        #[test]
        fn bring_up() {
            $(matrix(&$subject, Phase::BringUp);)+
        }

        #[test]
        fn store() {
            $(matrix(&$subject, Phase::Store);)+
        }

        #[test]
        fn connect() {
            $(matrix(&$subject, Phase::Connect);)+
        }

        #[test]
        fn send() {
            $(matrix(&$subject, Phase::Send);)+
        }

        #[test]
        fn receive() {
            $(matrix(&$subject, Phase::Receive);)+
        }

        #[test]
        fn close() {
            $(matrix(&$subject, Phase::Close);)+
        }

        #[test]
        fn two() {
            $(matrix(&$subject, Phase::Two);)+
        }
    };
}

each_phase!(bg96());

/// One current socket, native TLS, `#XCMNG`; and a handle in every command, the modem's TLS, `%CMNG`.
mod nrf9160_dialects {
    use super::{Phase, matrix, nrf9160};

    each_phase!(nrf9160("3.1-native"), nrf9160("sm"));
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

    each_phase!(ublox("sara-r4-02b"), ublox("sara-r5"));
}

/// Extended data mode.
mod ublox_short_range {
    use super::{Phase, matrix, short_range};

    each_phase!(short_range("odin"));
}

/// TI's AT application.
mod cc32xx_at {
    use super::{Phase, cc32xx, matrix};

    each_phase!(cc32xx());
}
