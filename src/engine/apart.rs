//! Futures whose code is a function of their own.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

/// Awaits `future` in a function of its own, for authors of backends: `apart(pin!(flow())).await`.
///
/// What is awaited in one place only is compiled into the function of the future that awaits it. Where that
/// one is large, each access to its memory is far from its start and takes longer instructions, and the
/// stack has room for the locals of all of them; apart, it takes a tenth less flash.
pub fn apart<F: Future>(future: Pin<&mut F>) -> impl Future<Output = F::Output> {
    Apart(future)
}

struct Apart<'f, F>(Pin<&'f mut F>);

impl<F: Future> Future for Apart<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        poll_apart(self.0.as_mut(), cx)
    }
}

#[inline(never)]
fn poll_apart<F: Future>(future: Pin<&mut F>, cx: &mut Context<'_>) -> Poll<F::Output> {
    future.poll(cx)
}
