//! Text on the emulator's standard output.

use core::fmt::{self, Write};

use cortex_m_semihosting::hprint;

/// Prints a line on the host, as `std`'s does. Without feature `log` it is checked by the
/// compiler and leaves no code behind.
#[cfg(feature = "log")]
#[macro_export]
macro_rules! println {
    ($($arguments:tt)*) => { $crate::board::print_line(format_args!($($arguments)*)) };
}

/// Prints a line on the host, as `std`'s does. Without feature `log` it is checked by the
/// compiler and leaves no code behind.
#[cfg(not(feature = "log"))]
#[macro_export]
macro_rules! println {
    ($($arguments:tt)*) => {
        if false { $crate::board::print_line(format_args!($($arguments)*)) }
    };
}

/// Each semihosting call stops the machine for as long as the host takes, so a line goes out in
/// one call if it fits.
struct Line {
    buffer: heapless::String<120>,
}

impl Line {
    fn send(&mut self) {
        hprint!(self.buffer.as_str());
        self.buffer.clear();
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.buffer.push_str(text).is_err() {
            self.send();
            if self.buffer.push_str(text).is_err() {
                hprint!(text);
            }
        }
        Ok(())
    }
}

/// What `println!` does.
pub fn print_line(arguments: fmt::Arguments<'_>) {
    let mut line = Line {
        buffer: heapless::String::new(),
    };
    // It fails only if a value's own formatting does.
    let _ = writeln!(line, "{arguments}");
    line.send();
}
