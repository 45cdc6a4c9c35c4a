//! The far end of a PPP link: Debian's `slirp`, which is PPP, IP and NAT in one program.

use std::fs::OpenOptions;
use std::io;
use std::process::{Child, Command, Stdio};

use tokio_serial::{SerialPort, SerialStream};

/// What slirp needs before it talks: its host name must resolve to an address that is not the machine's own, and it ends IPCP
/// otherwise. The name server that it tells of is the machine's, which may have none. Name and files are this process tree's alone.
/// The end of the terminal that is this process's must not live on in slirp: it would keep itself alive when this process is killed.
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
    port: SerialStream,
}

impl Slirp {
    /// Starts one; needs tokio's reactor. It prints a banner, then waits for PPP.
    ///
    /// # Errors
    /// Says what to install, or what the machine does not allow.
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
        let (port, terminal) = SerialStream::pair().map_err(io::Error::from)?;
        let name = terminal.name().ok_or_else(|| hint("no terminal for it"))?;
        let open = || OpenOptions::new().read(true).write(true).open(&name);
        // The terminal must be its controlling one, which util-linux's setsid can do without unsafe code.
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

    /// The line to it.
    pub fn port(&mut self) -> &mut SerialStream {
        &mut self.port
    }
}

impl Drop for Slirp {
    /// The terminal that goes with it ends slirp itself.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
