//! Every transcript of the sheet, its modem's bytes cut at every position, one by one, all at once, and
//! at random.

use std::fs;

use sectag_integration_tests::transcript::Play;

#[test]
fn transcripts_are_played_in_any_pieces() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../transcripts/bg96");
    let mut count = 0;
    for entry in fs::read_dir(folder).expect("the folder") {
        let path = entry.expect("an entry").path();
        println!("{}", path.display());
        let play = Play::new(&fs::read_to_string(&path).expect("a text"));
        play.run(&|_| false);
        play.run(&|_| true);
        for cut in 1..play.modem_bytes() {
            play.run(&|at| at == cut);
        }
        for seed in 1..=8_usize {
            play.run(&|at| (at + 1).wrapping_mul(seed * 2_654_435_761) >> 7 & 3 == 0);
        }
        count += 1;
    }
    assert!(count >= 10, "{count} transcripts");
}
