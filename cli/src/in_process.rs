//! For tests: commands of this tool beside a simulated modem in this process.

use embassy_futures::select::{Either, select};
use sectag_simulator::Simulator;
use sectag_simulator::time::block_on_virtual;
use tokio::task::LocalSet;

use crate::port::in_memory;

const STACK: usize = 64 * 1024 * 1024;

/// Runs `work` in virtual time, with a place for the tasks of servers.
pub(crate) fn virtually<T>(work: impl AsyncFnOnce() -> T) -> T {
    let local = LocalSet::new();
    block_on_virtual(local.run_until(work()))
}

/// A thread for commands, whose futures are as large as the main thread's stack allows.
pub(crate) fn roomy() -> std::thread::Builder {
    std::thread::Builder::new().stack_size(STACK)
}

/// Runs `work` of this tool with a port, `tcp:memory:1`, that leads to the modem.
pub(crate) async fn beside<T>(modem: &Simulator, work: impl Future<Output = T>) -> T {
    let (host, device) = tokio::io::duplex(4096);
    in_memory::put(host);
    let serving = async {
        let _ = modem.serve(device).await;
        std::future::pending::<()>().await;
    };
    match select(serving, work).await {
        Either::First(()) => unreachable!("it is pending for ever"),
        Either::Second(done) => done,
    }
}
