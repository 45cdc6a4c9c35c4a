use crate::process::run;

pub(crate) fn the_demo_succeeds_and_adds_up() {
    let ended = run(&["demo", "--json"]).expect(0);
    let numbers = |key: &str| -> Vec<u64> {
        let key = format!("\"{key}\":");
        let after = |line: &str| {
            let (_, rest) = line.split_once(&key)?;
            rest.split(|c: char| !c.is_ascii_digit())
                .next()?
                .parse()
                .ok()
        };
        ended.stdout.lines().filter_map(after).collect()
    };
    for key in ["exchanges", "bytes_out", "bytes_in"] {
        let all = numbers(key);
        let (total, steps) = all.split_last().unwrap();
        assert!(*total > 0);
        assert_eq!(
            steps.iter().sum::<u64>(),
            *total,
            "{key} in\n{}",
            ended.stdout
        );
    }
    assert!(
        ended
            .stdout
            .contains("\"step\":\"receive the own message\""),
        "{}",
        ended.stdout
    );
}
