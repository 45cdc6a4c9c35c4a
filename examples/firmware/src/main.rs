//! Placeholder for the application: proves that board and credentials are there.
#![no_std]
#![no_main]

use embassy_executor::Spawner;
use sectag_firmware::board::{Board, exit};
use sectag_firmware::println;

/// `CA`, `CERTIFICATE` and `PRIVATE_KEY`, or an error that says how to make them; by build.rs.
mod credentials {
    include!(concat!(env!("OUT_DIR"), "/credentials.rs"));
}

#[embassy_executor::main(
    entry = "cortex_m_rt::entry",
    executor = "sectag_firmware::board::Executor"
)]
async fn main(_spawner: Spawner) {
    let Some(_board) = Board::take() else {
        exit::failure()
    };
    println!(
        "credentials: CA {} bytes, certificate {}, key {}",
        credentials::CA.len(),
        credentials::CERTIFICATE.len(),
        credentials::PRIVATE_KEY.len(),
    );
    exit::success()
}
