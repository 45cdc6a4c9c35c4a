//! What the configuration asks of the radio, and what the modem's flash is spared.

use embassy_time::Timer;
use sectag::{BringUpError, Code, NoPins};
use sectag_bg96::{Config, Lte, Network, Operator, Plmn, Radio, Roaming, Search};
use sectag_integration_tests::Bench;
use sectag_integration_tests::simulated::{World, virtually};
use sectag_simulator::{Options, Profile};

const PLMN: Plmn = match Plmn::new("00101") {
    Ok(plmn) => plmn,
    Err(_) => panic!("not a PLMN"),
};

const CHOICES: &[Radio] = &[
    Radio::Search(Search::LteOnly),
    Radio::Lte(Lte::CatM1Only),
    Radio::Order([Network::CatM1, Network::CatNb1, Network::Gsm]),
    Radio::Bands {
        gsm: 0,
        cat_m1: 0x8_0000,
        cat_nb1: 0,
    },
    Radio::Roaming(Roaming::On),
    Radio::Operator(Operator::Fixed(PLMN)),
];

async fn wait(bench: Bench) -> Result<(), BringUpError> {
    bench.control.wait_up().await
}

fn writes(world: &World) -> Vec<String> {
    let commands = world.commands();
    let write = |line: &&String| {
        line.starts_with("AT+QCFG=") && line.contains(',')
            || line.starts_with("AT+COPS=") && !line.starts_with("AT+COPS=3")
    };
    commands.iter().filter(write).cloned().collect()
}

#[test]
fn choices_are_written_once_and_before_registration() {
    virtually(async || {
        let world = World::new(Options::default());
        let config = Config::new().radio(CHOICES);
        world
            .attach_with(config, NoPins, async |bench| {
                wait(bench).await.unwrap();
                // A restart of the modem alone, which keeps them.
                world.modem.reset();
                Timer::after_secs(30).await;
                wait(bench).await.unwrap();
            })
            .await;
        let expected = [
            "AT+QCFG=\"nwscanmode\",3",
            "AT+QCFG=\"iotopmode\",0",
            "AT+QCFG=\"nwscanseq\",020301",
            "AT+QCFG=\"band\",0,80000,0",
            "AT+QCFG=\"roamservice\",2",
            "AT+COPS=1,2,\"00101\"",
        ];
        assert_eq!(writes(&world), expected);
        let commands = world.commands();
        let at = |prefix: &str| commands.iter().position(|line| line.starts_with(prefix));
        assert!(at("AT+COPS=1") < at("AT+CEREG?"));

        // The MCU starts anew: the modem has them already.
        world.modem.take_commands();
        world.attach_with(config, NoPins, wait).await.unwrap();
        assert_eq!(writes(&world), [""; 0]);
        assert!(world.count("AT+QCFG=") >= 5);
        // The name of the operator is shown as a name again.
        let status = world.attach(async |bench| bench.control.status().await);
        assert_eq!(status.await.operator.as_deref(), Some("Test Network"));

        // Back to where the modem chooses.
        const AUTOMATIC: &[Radio] = &[
            Radio::Search(Search::Any),
            Radio::Operator(Operator::Automatic),
        ];
        world.modem.take_commands();
        let config = Config::new().radio(AUTOMATIC);
        world.attach_with(config, NoPins, wait).await.unwrap();
        assert_eq!(writes(&world), ["AT+QCFG=\"nwscanmode\",0", "AT+COPS=0"]);
    });
}

#[test]
fn nothing_is_asked_where_nothing_is_chosen() {
    virtually(async || {
        let world = World::new(Options::default());
        world.attach(wait).await.unwrap();
        assert_eq!(world.count("AT+QCFG") + world.count("AT+COPS"), 0);
    });
}

#[test]
fn a_model_that_cannot_says_so() {
    virtually(async || {
        // A BG96-M.
        let world = World::new(Options {
            profile: Profile {
                missing_items: &["nwscanseq", "nwscanmode", "iotopmode"],
                ..Profile::BG96_LATER
            },
            ..Options::default()
        });
        let config = Config::new().radio(&[Radio::Lte(Lte::CatM1Only)]);
        let error = world.attach_with(config, NoPins, wait).await.unwrap_err();
        assert_eq!(
            error,
            BringUpError::SettingRefused {
                setting: "iotopmode",
                code: Code::Plain
            }
        );
        assert!(error.to_string().contains("iotopmode"));
        let config = Config::new().radio(&[Radio::Roaming(Roaming::Off)]);
        world.attach_with(config, NoPins, wait).await.unwrap();
    });
}

#[test]
fn an_operator_that_is_not_there_is_a_refusal_with_its_number() {
    const ELSEWHERE: Plmn = match Plmn::new("99999") {
        Ok(plmn) => plmn,
        Err(_) => panic!("not a PLMN"),
    };
    virtually(async || {
        let world = World::new(Options::default());
        let config = Config::new().radio(&[Radio::Operator(Operator::Fixed(ELSEWHERE))]);
        let error = world.attach_with(config, NoPins, wait).await.unwrap_err();
        assert_eq!(
            error,
            BringUpError::SettingRefused {
                setting: "AT+COPS",
                code: Code::Cme(30)
            }
        );
    });
}
