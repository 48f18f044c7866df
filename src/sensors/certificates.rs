//! MicroK8s' certificates: when does each end? The snap reissues some of them when it feels
//! like it, others never; only those of the authority live for ten years.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::patience::look_by_period;
use super::release::base64;
use super::{Observation, Observations};
use crate::paths::Paths;
use crate::state::{Certificate, Observed};

/// How often it looks. The folder is reached by a link that a refresh of the snap moves, so
/// it is looked at and not watched.
pub const PERIOD: Duration = Duration::from_secs(30);

/// Looks until the receiver is gone.
pub async fn run(paths: Arc<Paths>, observations: Observations) {
    look_by_period(PERIOD, observations, Observation::Certificates, move || look_at_all(&paths)).await;
}

/// One look at MicroK8s' certificates, and at those in the credentials of its parts.
#[must_use]
pub fn look_at_all(paths: &Paths) -> Observed<Vec<Certificate>> {
    match look(&paths.certificates) {
        Observed::Fresh(mut all) => {
            all.extend(paths.kubeconfig.parent().map(of_clients).unwrap_or_default());
            Observed::Fresh(all)
        }
        unseen => unseen,
    }
}

/// The certificates by which MicroK8s' parts log in at the API server. What logs in by a token, or
/// cannot be read, has none.
fn of_clients(folder: &Path) -> Vec<Certificate> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.retain(|name| name.ends_with(".config"));
    names.sort();
    let of = |name: String| {
        let text = std::fs::read_to_string(folder.join(&name)).ok()?;
        let data = text.lines().find_map(|line| line.trim().trim_start_matches("- ").strip_prefix("client-certificate-data:"))?;
        let pem = base64(data.trim().trim_matches(['"', '\'']).as_bytes()).ok_or_else(|| "is not base64".to_owned());
        Some(Certificate { expires: pem.and_then(|pem| first_end(&pem)), name })
    };
    names.into_iter().filter_map(of).collect()
}

/// One look at all certificates of a folder, by name.
#[must_use]
pub fn look(folder: &Path) -> Observed<Vec<Certificate>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return Observed::Unknown { reason: format!("{}: {error}", folder.display()) },
    };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".crt")).collect();
    names.sort();
    let of = |name: String| {
        let read = std::fs::read(folder.join(&name)).map_err(|error| error.to_string());
        Certificate { expires: read.and_then(|pem| first_end(&pem)), name }
    };
    Observed::Fresh(names.into_iter().map(of).collect())
}

/// When the first certificate of a PEM file to end does so.
fn first_end(pem: &[u8]) -> Result<Timestamp, String> {
    let all = CertificateDer::pem_slice_iter(pem).map(|der| expires(&der.map_err(|error| error.to_string())?));
    let ends = all.collect::<Result<Vec<_>, _>>()?;
    ends.into_iter().min().ok_or_else(|| "holds no certificate".to_owned())
}

/// When a certificate ends.
///
/// # Errors
///
/// A sentence, when it is none.
pub fn expires(der: &[u8]) -> Result<Timestamp, String> {
    let (_, certificate) = X509Certificate::from_der(der).map_err(|error| format!("is no certificate: {error}"))?;
    // One without an end (RFC 5280, 4.1.2.5) is of the last second that a calendar has.
    Ok(Timestamp::from_second(certificate.validity().not_after.timestamp()).unwrap_or(Timestamp::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    /// Self-signed, of 2026-11-28, for a hundred years.
    const PEM: &str = include_str!("../../tests/fixtures/certificate.crt");

    #[test]
    fn the_end_of_a_certificate_is_read() {
        let root = tempfile::tempdir().unwrap();
        assert!(look(&root.path().join("absent")).fresh().is_none());
        std::fs::write(root.path().join("server.crt"), PEM).unwrap();
        std::fs::write(root.path().join("broken.crt"), PEM.replace("MII", "MIX")).unwrap();
        std::fs::write(root.path().join("empty.crt"), "").unwrap();
        std::fs::write(root.path().join("server.key"), "no certificate").unwrap();
        let seen = look(root.path());
        let [broken, empty, server] = seen.fresh().unwrap().as_slice() else { panic!("{seen:?}") };
        assert_eq!(
            (server.name.as_str(), server.expires.as_ref().unwrap().strftime("%Y").to_string()),
            ("server.crt", "2126".into())
        );
        assert_eq!(empty.expires.as_ref().unwrap_err(), "holds no certificate");
        assert!(broken.expires.is_err(), "{broken:?}");
    }

    #[test]
    fn the_logins_of_the_parts_have_certificates_too() {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(root.path().join(name), text).unwrap();
        let user = |data: &str| {
            format!("users:\n- name: a\n  user:\n    client-certificate-data: {data}\n    client-key-data: c2VjcmV0\n")
        };
        write("controller.config", &user(&STANDARD.encode(PEM)));
        write("token.config", "users:\n- user: {token: x}\n");
        write("odd.config", &user("***"));
        write("client.key", "nothing");
        let seen = of_clients(root.path());
        let [controller, odd] = seen.as_slice() else { panic!("{seen:?}") };
        assert_eq!((controller.name.as_str(), controller.expires.is_ok()), ("controller.config", true));
        assert_eq!(odd.expires.as_ref().unwrap_err(), "is not base64");
        assert!(of_clients(&root.path().join("absent")).is_empty());
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200), cut in 0..1500_usize) {
            drop(first_end(&bytes));
            drop(expires(&bytes));
            let der = CertificateDer::from_pem_slice(PEM.as_bytes()).unwrap();
            drop(expires(&der[..cut.min(der.len())]));
        }
    }
}
