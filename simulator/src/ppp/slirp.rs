//! Debian's `slirp` as the far end of a PPP link; it does PPP, IP and NAT in one program.

use std::fs::OpenOptions;
use std::io;
use std::process::{Child, Command, Stdio};

use sectag_host_clock::tty::{Pair, Tty};

/// The environment of slirp. Its host name must resolve to an address that is not the machine's own,
/// otherwise it ends IPCP. The name server that it announces is the machine's, which may have none.
/// Name and files belong to this process tree alone. This process's end of the terminal must not be
/// inherited by slirp, which would then keep itself alive when this process is killed.
const SETTING: &str = r#"
for fd in /proc/self/fd/*; do
    fd=${fd##*/}
    [ "$fd" -le 2 ] || eval "exec $fd>&-"
done
hostname pppgw
file=$(mktemp)
printf '127.0.0.1 localhost\n10.0.2.2 pppgw\n' >"$file"
mount --bind "$file" /etc/hosts
if [ -e /etc/resolv.conf ]; then
    names=$(mktemp)
    echo 'nameserver 10.0.2.3' >"$names"
    mount --bind "$names" /etc/resolv.conf
fi
exec slirp-fullbolt "host addr 127.0.0.1" ppp
"#;

/// A running slirp. It gives the host 10.0.2.15, and reaches the services of this machine's 127.0.0.1 as 10.0.2.2.
pub struct Slirp {
    child: Child,
    port: Tty,
}

impl Slirp {
    /// Starts slirp; needs tokio's reactor. It prints a banner, then waits for PPP.
    ///
    /// # Errors
    /// A text that says what to install, or what the machine does not allow.
    pub fn start() -> io::Result<Self> {
        let hint = |what: &str| {
            io::Error::other(format!(
                "slirp-fullbolt cannot run: {what} (hint: apt-get install slirp; as another user than root the kernel must allow user namespaces)"
            ))
        };
        let found = ["/usr/bin/slirp-fullbolt", "/usr/local/bin/slirp-fullbolt"];
        if !found.iter().any(|path| std::path::Path::new(path).exists()) {
            return Err(hint("it is not installed"));
        }
        let Pair {
            tty: port,
            name,
            other: terminal,
        } = Tty::pair()?;
        let open = || OpenOptions::new().read(true).write(true).open(&name);
        // The terminal must be its controlling terminal; util-linux's setsid can do that without unsafe
        // code.
        let mut command = Command::new("setsid");
        command.args(["--wait", "--ctty", "unshare"]);
        if !rustix::process::geteuid().is_root() {
            command.arg("--map-root-user");
        }
        let child = command
            .args(["--mount", "--uts", "bash", "-c", SETTING])
            .stdin(open()?)
            .stdout(open()?)
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| hint(&error.to_string()))?;
        drop(terminal);
        Ok(Self { child, port })
    }

    /// Returns the serial line to slirp.
    pub fn port(&mut self) -> &mut Tty {
        &mut self.port
    }
}

impl Drop for Slirp {
    /// Dropping the terminal ends slirp itself.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
