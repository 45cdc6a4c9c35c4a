use sectag::clock::DateTime;
use sectag::jwt::Claims;
use sectag::signer::Algorithm;

use crate::args::MakeToken;
use crate::failure::Failure;
use crate::report::Report;
use crate::session;
use crate::signing::HostKey;

pub(super) async fn run(args: &MakeToken, report: &Report) -> Result<(), Failure> {
    let mut key = HostKey::read(&args.key)?;
    let algorithm = key.algorithm();
    if let Some(wanted) = args.alg
        && wanted.algorithm() != algorithm
    {
        return Err(Failure::new(format!(
            "{}: the key is {}, which cannot sign with {}",
            args.key.display(),
            key.kind(),
            wanted.algorithm().name()
        ))
        .hint(format!(
            "sign with --alg {}, or give {}",
            algorithm.name(),
            match wanted.algorithm() {
                Algorithm::Es256 =>
                    "a key on P-256: openssl ecparam -name prime256v1 -genkey -noout -out ec.key",
                Algorithm::Rs256 => "an RSA key: openssl genrsa -out rsa.key 2048",
            }
        )));
    }
    let now = session::host_clock()
        .ok_or_else(|| Failure::new("this computer's clock is outside the years 2000 to 2099"))?;
    let claims = Claims::new(&args.aud).lifetime(args.ttl);
    let token = key.token(&claims, now).await?;
    let expires = DateTime::from_unix(now.to_unix() + u64::from(args.ttl));
    let expires = expires.map_or_else(String::new, |expires| expires.to_string());
    report.note(&format!(
        "{} for {}, valid from {now} to {expires}",
        algorithm.name(),
        args.aud
    ));
    report.result(&token, |object| {
        object
            .text("token", &token)
            .text("alg", algorithm.name())
            .text("expires", &expires)
    })
}
