//! The TLS policy of a connection, from the options and from what is stored in the modem.

use std::collections::BTreeMap;

use sectag::modem::Full;
use sectag::{
    CaScope, Check, Control, Kind, Stored, Suites, Support, Tag, TlsConfig, TlsVersion,
    Verification,
};

use crate::args::{CheckName, TlsArgs};
use crate::hints::{self, Failure};
use crate::report::Report;

/// Mutual TLS when certificate and key are stored under the tag.
pub(crate) async fn config<M: Full>(
    control: Control<'_, M>,
    args: &TlsArgs,
    report: &Report,
) -> Result<TlsConfig, Failure> {
    let (mut certificate, mut key) = (false, false);
    control
        .list_tag(args.tag, &mut |entry| {
            if entry.other_store.is_some() {
                return;
            }
            certificate |= entry.tag == args.tag && entry.kind == Kind::ClientCertificate;
            key |= entry.tag == args.tag && entry.kind == Kind::PrivateKey;
        })
        .await
        .map_err(|error| hints::credential("listing the credentials", &error))?;
    let mut config = TlsConfig::new(args.tag);
    match (certificate, key) {
        (true, true) => config = config.client_certificate(),
        (false, false) => {}
        (true, false) => report.warn(&half(args, Kind::ClientCertificate, Kind::PrivateKey)),
        (false, true) => report.warn(&half(args, Kind::PrivateKey, Kind::ClientCertificate)),
    }
    Ok(policy(config, args, Some(report)))
}

/// With what the options say of the checks; with a report, what is given up is told.
pub(crate) fn policy(mut config: TlsConfig, args: &TlsArgs, report: Option<&Report>) -> TlsConfig {
    let warn = |text: &str| {
        if let Some(report) = report {
            report.warn(text);
        }
    };
    if args.private_ca {
        config = config.ca_scope(CaScope::Private);
    }
    for name in &args.accept_missing {
        if *name == CheckName::Version {
            warn(
                "--accept-missing: connecting with whatever version of TLS modem and server agree on",
            );
            config = config.min_version(TlsVersion::Tls10);
            continue;
        }
        let Some(check) = name.check() else {
            warn(
                "--accept-missing: connecting with whatever cipher suite modem and server agree on",
            );
            config = config.suites(Suites::All);
            continue;
        };
        warn(&format!(
            "--accept-missing: connecting even if the modem does not check the {check} of the server"
        ));
        config = config.dangerous().accept_missing(check);
    }
    config
}

/// Names the other tags under which a CA is stored, where the one that was asked for holds too little; `None` where there is none, or the modem
/// does not tell.
pub(crate) async fn other_tags<M: Full>(control: Control<'_, M>, tag: Tag) -> Option<String> {
    let mut sets: BTreeMap<Tag, Vec<Kind>> = BTreeMap::new();
    let mut keep = |entry: Stored| {
        if entry.other_store.is_none() && entry.tag != tag {
            sets.entry(entry.tag).or_default().push(entry.kind);
        }
    };
    control.list(&mut keep).await.ok()?;
    let with_ca = sets.iter().filter(|(_, kinds)| kinds.contains(&Kind::Ca));
    let shown = with_ca.map(|(tag, kinds)| {
        let kinds: Vec<String> = kinds.iter().map(ToString::to_string).collect();
        format!("tag {tag} ({})", kinds.join(", "))
    });
    let shown: Vec<String> = shown.collect();
    (!shown.is_empty()).then(|| {
        let shown = shown.join(" and ");
        format!("credentials are stored under {shown}: if those are meant, name them by --tag")
    })
}

fn half(args: &TlsArgs, present: Kind, absent: Kind) -> String {
    format!(
        "tag {} holds a {present} but no {absent}, so no client certificate is sent",
        args.tag
    )
}

/// What was checked of the server and what was not, in words.
pub(crate) fn describe(verified: Verification) -> String {
    let list = |support| {
        let checks: Vec<String> = [Check::Chain, Check::Dates, Check::Name, Check::Suites]
            .into_iter()
            .filter(|check| verified.of(*check) == support)
            .map(|check| check.to_string())
            .collect();
        checks.join(", ")
    };
    let mut parts = Vec::new();
    for (what, support) in [
        ("checked", Support::Yes),
        ("not checked", Support::No),
        ("not known to be checked", Support::Unknown),
    ] {
        let checks = list(support);
        if !checks.is_empty() {
            parts.push(format!("{what}: {checks}"));
        }
    }
    let sni = match verified.sni {
        Support::Yes => "SNI sent",
        Support::No => "SNI not sent",
        Support::Unknown => "SNI not known to be sent",
    };
    parts.push(sni.into());
    if let Some(source) = verified.time {
        parts.push(format!("time from {source}"));
    }
    parts.join("; ")
}

/// The kind of connection that was asked for.
pub(crate) fn kind(config: &TlsConfig) -> &'static str {
    if config.has_client_certificate() {
        "mutual TLS"
    } else {
        "TLS, without a client certificate"
    }
}

/// For programs.
pub(crate) fn word(support: Support) -> &'static str {
    match support {
        Support::No => "no",
        Support::Unknown => "unknown",
        Support::Yes => "yes",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_checked_is_said() {
        let mut verified = Verification::UNKNOWN;
        verified.chain = Support::Yes;
        verified.sni = Support::No;
        assert_eq!(
            describe(verified),
            "checked: certificate chain; not known to be checked: certificate dates, name, cipher suite; SNI not sent"
        );
    }
}
