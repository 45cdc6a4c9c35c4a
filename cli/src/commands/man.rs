//! `sectag man`: the manual pages, one for each command.

use clap::CommandFactory;

use crate::args::Cli;
use crate::failure::Failure;
use crate::report::Report;

/// Prints the page of sectag, or of the command that these words are.
pub(crate) fn run(words: &[String], report: &Report) -> Result<(), Failure> {
    let mut command = Cli::command();
    // What is global is an option of each, and each knows its full name.
    command.build();
    let mut page = &command;
    for word in words {
        page = page.find_subcommand(word).ok_or_else(|| {
            let names = page.get_subcommands().map(clap::Command::get_name);
            let names: Vec<&str> = names.collect();
            let of = page.get_display_name().unwrap_or_else(|| page.get_name());
            let failure = Failure::new(format!("{of} has no command {word:?}"));
            match names.is_empty() {
                true => failure,
                false => failure.hint(format!("it has {}", names.join(", "))),
            }
        })?;
    }
    let mut text = Vec::new();
    clap_mangen::Man::new(page.clone())
        .render(&mut text)
        .map_err(|error| Failure::new(format!("the manual page: {error}")))?;
    report.output(text.trim_ascii_end())
}
