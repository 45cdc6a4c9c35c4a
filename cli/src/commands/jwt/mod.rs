//! `sectag jwt`: tokens that brokers take instead of a password. No modem is needed.

mod explain;
mod make;

use crate::args::Jwt;
use crate::failure::Failure;
use crate::report::Report;

pub(crate) async fn run(command: &Jwt, report: &Report) -> Result<(), Failure> {
    match command {
        Jwt::Make(args) => make::run(args, report).await,
        Jwt::Explain(args) => explain::run(args, report),
    }
}
