//! Every transcript of the sheets: through the driver, its modem's bytes cut at every position, one by
//! one, all at once, and at random; and against the simulator, where it is as it was seen.

use sectag_integration_tests::transcript::{
    Bg96Transcripts, Nrf9160Transcripts, UbloxTranscripts, compare_all, play_all,
};

#[test]
fn bg96_transcripts_are_played_in_any_pieces() {
    let count = play_all(&Bg96Transcripts);
    assert!(count >= 10, "{count} transcripts");
}

#[test]
fn bg96_simulator_answers_as_the_real_modem_did() {
    let count = compare_all(&Bg96Transcripts);
    assert!(count >= 1, "{count} transcripts");
}

#[test]
fn nrf9160_transcripts_are_played_in_any_pieces() {
    let count = play_all(&Nrf9160Transcripts);
    assert!(count >= 15, "{count} transcripts");
}

#[test]
fn nrf9160_simulator_answers_as_the_real_modem_did() {
    let count = compare_all(&Nrf9160Transcripts);
    assert!(count >= 8, "{count} transcripts");
}

#[test]
fn ublox_transcripts_are_played_in_any_pieces() {
    let count = play_all(&UbloxTranscripts);
    assert!(count >= 9, "{count} transcripts");
}

#[test]
fn ublox_simulator_answers_as_the_real_modem_did() {
    let count = compare_all(&UbloxTranscripts);
    assert!(count >= 3, "{count} transcripts");
}
