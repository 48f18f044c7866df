//! The registry a chart comes from: which versions it has, and their archives.
//!
//! OCI distribution specification 1.1, with the media types of Helm (HIP 6). Nothing here
//! decides, and no process is started: the login reaches the registry alone.

use std::path::{Path, PathBuf};
use std::time::Duration;

use oci_client::client::{Certificate, CertificateEncoding, ClientConfig, ClientProtocol};
use oci_client::errors::{OciDistributionError, OciErrorCode};
use oci_client::manifest::{OciDescriptor, OciManifest};
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::config::Settings;
use crate::error::chain;

/// How long a connection may take to be made.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// How long the registry may be silent in the middle of an answer.
const SILENCE_LIMIT: Duration = Duration::from_secs(30);

/// The largest archive of a chart, in bytes.
const MAX_CHART: i64 = 256 * 1024 * 1024;

/// The largest file of authorities, in bytes; that of a whole system has 300 kB.
const MAX_CA_FILE: u64 = 4 * 1024 * 1024;

/// How many of the versions that exist a message names.
const MOST_VERSIONS: usize = 10;

/// Media types of a chart's archive: Helm's, and the one of before Helm 3.7.
const CHART_TYPES: [&str; 2] = ["application/vnd.cncf.helm.chart.content.v1.tar+gzip", "application/tar+gzip"];

/// Every reason that [`RegistryError::reason`] gives of a registry.
pub const REASONS: &[&str] = &[
    "RegistryCaFile",
    "RegistryNotReachable",
    "RegistryNotTrusted",
    "RegistryNotTls",
    "RegistryNotPlain",
    "RegistryLoginRefused",
    "ChartNotFound",
    "ChartVersionNotFound",
    "ChartInvalid",
    "RegistryFailed",
];

/// Why a chart cannot be had. Never holds a password.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The file with the private authority's certificates.
    #[error("registry.ca_file {path}: {message}")]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// No connection, or no answer.
    #[error("the registry {host} cannot be reached: {why}")]
    NotReachable {
        /// Its name.
        host: String,
        /// Why.
        why: String,
    },
    /// Its certificate is not trusted, expired, or of another host.
    #[error("the certificate of the registry {host} is not accepted: {why}")]
    CertificateNotTrusted {
        /// Its name.
        host: String,
        /// What TLS says.
        why: String,
    },
    /// It does not speak TLS.
    #[error("the registry {host} does not answer in TLS")]
    NotTls {
        /// Its name.
        host: String,
    },
    /// It speaks TLS only.
    #[error("the registry {host} wants TLS, and registry.plain_http is true")]
    NotPlain {
        /// Its name.
        host: String,
    },
    /// User name or password are wrong, missing, or not enough.
    #[error("the registry {host} refuses {who} for {repository}")]
    LoginRefused {
        /// Its name.
        host: String,
        /// The user, or that there was none.
        who: String,
        /// What was asked for.
        repository: String,
    },
    /// It has no such chart.
    #[error("the registry {host} has no chart {repository}")]
    UnknownChart {
        /// Its name.
        host: String,
        /// What was asked for.
        repository: String,
    },
    /// It has the chart in other versions.
    #[error("{repository} has no version {version} at the registry {host}, it has {known}")]
    UnknownVersion {
        /// Its name.
        host: String,
        /// What was asked for.
        repository: String,
        /// In which version.
        version: String,
        /// The versions that exist.
        known: String,
    },
    /// What is there is something else.
    #[error("{repository}:{version} at the registry {host} is no Helm chart: {what}")]
    NotAChart {
        /// Its name.
        host: String,
        /// What was asked for.
        repository: String,
        /// In which version.
        version: String,
        /// What it is.
        what: String,
    },
    /// It answers with an error of its own.
    #[error("the registry {host} fails: {why}")]
    Failed {
        /// Its name.
        host: String,
        /// With what.
        why: String,
    },
    /// This machine's disk does not take the archive.
    #[error("the chart cannot be written")]
    Disk(#[source] std::io::Error),
}

impl RegistryError {
    /// One `CamelCase` word.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::CaFile { .. } => "RegistryCaFile",
            Self::NotReachable { .. } => "RegistryNotReachable",
            Self::CertificateNotTrusted { .. } => "RegistryNotTrusted",
            Self::NotTls { .. } => "RegistryNotTls",
            Self::NotPlain { .. } => "RegistryNotPlain",
            Self::LoginRefused { .. } => "RegistryLoginRefused",
            Self::UnknownChart { .. } => "ChartNotFound",
            Self::UnknownVersion { .. } => "ChartVersionNotFound",
            Self::NotAChart { .. } => "ChartInvalid",
            Self::Failed { .. } => "RegistryFailed",
            Self::Disk(_) => "CacheNotWritable",
        }
    }

    /// Another try without another configuration would end the same way, or lock an account.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self, Self::NotPlain { .. } | Self::LoginRefused { .. } | Self::NotAChart { .. })
    }
}

/// A chart at a registry, in one version.
#[derive(Debug, Clone)]
pub struct Offer {
    reference: Reference,
    layer: OciDescriptor,
}

impl Offer {
    /// SHA-256 of the archive, hexadecimal.
    #[must_use]
    pub fn digest(&self) -> &str {
        self.layer.digest.strip_prefix("sha256:").unwrap_or(&self.layer.digest)
    }
}

/// The registry that is configured.
pub struct Registry {
    client: Client,
    auth: RegistryAuth,
    host: String,
    repository: String,
    plain: bool,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").field("host", &self.host).finish_non_exhaustive()
    }
}

impl Registry {
    /// For these settings. Reads files, so not on the loop; connects to nothing yet. The proxy is that of the agent's
    /// environment (`HTTPS_PROXY`, `NO_PROXY`).
    ///
    /// # Errors
    ///
    /// When the certificates of `registry.ca_file` cannot be read.
    pub fn new(settings: &Settings) -> Result<Self, RegistryError> {
        let url = settings.text("registry.url");
        let (host, path) = url.split_once('/').unwrap_or((url, ""));
        let repository =
            [path, settings.release_name()].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/");
        let plain = settings.flag("registry.plain_http");
        // The client takes the provider of the process; a second call changes nothing.
        rustls::crypto::ring::default_provider().install_default().ok();
        let config = ClientConfig {
            protocol: if plain { ClientProtocol::Http } else { ClientProtocol::Https },
            extra_root_certificates: authorities(settings.text("registry.ca_file"))?,
            platform_resolver: None,
            connect_timeout: Some(CONNECT_LIMIT),
            read_timeout: Some(SILENCE_LIMIT),
            user_agent: concat!("kaapana-agent/", env!("CARGO_PKG_VERSION")),
            ..ClientConfig::default()
        };
        let client = Client::try_from(config)
            .map_err(|error| RegistryError::Failed { host: host.to_owned(), why: short(&chain(&error)) })?;
        let auth = match (settings.text("registry.username"), settings.text("registry.password")) {
            ("", _) => RegistryAuth::Anonymous,
            (username, password) => RegistryAuth::Basic(username.to_owned(), password.to_owned()),
        };
        Ok(Self { client, auth, host: host.to_owned(), repository, plain })
    }

    /// Looks for a version of the chart.
    ///
    /// # Errors
    ///
    /// When it is not there, or the registry does not say.
    pub async fn find(&self, version: &str) -> Result<Offer, RegistryError> {
        // A tag has no '+'; Helm writes '_' for it.
        let reference = Reference::with_tag(self.host.clone(), self.repository.clone(), version.replace('+', "_"));
        let manifest = match self.client.pull_manifest(&reference, &self.auth).await {
            Ok((manifest, _)) => manifest,
            Err(error) if is_unknown(&error) => return Err(self.unknown(&reference, version).await),
            Err(error) => return Err(self.told(error)),
        };
        let no_chart = |what: String| RegistryError::NotAChart {
            host: self.host.clone(),
            repository: self.repository.clone(),
            version: version.to_owned(),
            what,
        };
        let OciManifest::Image(manifest) = manifest else { return Err(no_chart("an index of images".into())) };
        let layer = manifest.layers.iter().find(|layer| CHART_TYPES.contains(&layer.media_type.as_str())).cloned();
        let layer = layer.ok_or_else(|| no_chart(format!("it is of the type {}", manifest.config.media_type)))?;
        // It becomes the name of a file.
        let digest = layer.digest.strip_prefix("sha256:").unwrap_or_default();
        if digest.len() != 64 || !digest.chars().all(|c| c.is_ascii_hexdigit()) || layer.size > MAX_CHART {
            return Err(no_chart(format!("its archive has {} bytes and the digest {}", layer.size, layer.digest)));
        }
        Ok(Offer { reference, layer })
    }

    /// Fetches an archive; its digest is checked on the way.
    ///
    /// # Errors
    ///
    /// When the registry does not give it, or the file cannot be written.
    pub async fn fetch(&self, offer: &Offer, into: &Path) -> Result<(), RegistryError> {
        let fetched = async {
            let mut file = tokio::fs::File::create(into).await?;
            self.client.pull_blob(&offer.reference, &offer.layer, &mut file).await?;
            Ok::<_, OciDistributionError>(file.sync_all().await?)
        };
        fetched.await.map_err(|error| self.told(error))
    }

    /// The manifest is unknown: is the chart there in other versions?
    async fn unknown(&self, reference: &Reference, version: &str) -> RegistryError {
        let (host, repository) = (self.host.clone(), self.repository.clone());
        match self.client.list_tags(reference, &self.auth, None, None).await {
            Ok(tags) if !tags.tags.is_empty() => {
                let known = known_versions(tags.tags);
                RegistryError::UnknownVersion { host, repository, version: version.to_owned(), known }
            }
            Ok(_) => RegistryError::UnknownChart { host, repository },
            Err(error) if is_unknown(&error) => RegistryError::UnknownChart { host, repository },
            // A robot may often pull and not list.
            Err(_) => {
                let known = "others, which it does not list".to_owned();
                RegistryError::UnknownVersion { host, repository, version: version.to_owned(), known }
            }
        }
    }

    fn told(&self, error: OciDistributionError) -> RegistryError {
        let host = self.host.clone();
        let elsewhere = |url: &str| !url.contains(&format!("//{}/", self.host));
        match error {
            OciDistributionError::IoError(error) => RegistryError::Disk(error),
            OciDistributionError::RequestError(request) => match tls_fault(&request) {
                Some(rustls::Error::InvalidCertificate(why)) => {
                    RegistryError::CertificateNotTrusted { host, why: certificate_fault(why) }
                }
                Some(rustls::Error::InvalidMessage(_)) => RegistryError::NotTls { host },
                Some(other) => RegistryError::CertificateNotTrusted { host, why: other.to_string() },
                // An address after a redirect may hold a signature that opens it.
                None => RegistryError::NotReachable { host, why: short(&chain(&request.without_url())) },
            },
            // The token service's answer, whatever its status was: it may only be out of order.
            OciDistributionError::AuthenticationFailure(body) if refuses(&body) => self.refused(),
            OciDistributionError::AuthenticationFailure(body) => {
                RegistryError::Failed { host, why: format!("its login service says: {}", short(&body)) }
            }
            OciDistributionError::UnauthorizedError { url } if !elsewhere(&url) => self.refused(),
            OciDistributionError::RegistryError { envelope, .. }
                if envelope.errors.iter().any(|one| matches!(one.code, OciErrorCode::Unauthorized | OciErrorCode::Denied)) =>
            {
                self.refused()
            }
            OciDistributionError::ServerError { code: 401 | 403, url, .. } if !elsewhere(&url) => self.refused(),
            // What Go's HTTP servers, and so most registries, say.
            OciDistributionError::ServerError { code: 400, message, .. } if self.plain && message.contains("HTTPS server") => {
                RegistryError::NotPlain { host }
            }
            OciDistributionError::ServerError { code, message, .. } => {
                RegistryError::Failed { host, why: format!("HTTP status {code}: {}", short(&message)) }
            }
            OciDistributionError::UnauthorizedError { .. } => {
                RegistryError::Failed { host, why: "the storage it points to refuses access".into() }
            }
            OciDistributionError::RegistryError { envelope, .. } => {
                RegistryError::Failed { host, why: short(&envelope.to_string()) }
            }
            other => RegistryError::Failed { host, why: short(&chain(&other)) },
        }
    }

    fn refused(&self) -> RegistryError {
        let who = match &self.auth {
            RegistryAuth::Basic(username, _) => format!("the login of {username}"),
            _ => "access without a login".to_owned(),
        };
        RegistryError::LoginRefused { host: self.host.clone(), who, repository: self.repository.clone() }
    }
}

/// The certificates of a bundle.
fn authorities(path: &str) -> Result<Vec<Certificate>, RegistryError> {
    if path.is_empty() {
        return Ok(Vec::new());
    }
    let fault = |message: String| RegistryError::CaFile { path: path.into(), message };
    let unreadable = |error: std::io::Error| fault(format!("cannot be read: {error}"));
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() || metadata.len() > MAX_CA_FILE {
        return Err(fault("is no file of certificates".into()));
    }
    let text = std::fs::read(path).map_err(unreadable)?;
    let certificates: Vec<Certificate> = CertificateDer::pem_slice_iter(&text)
        .map(|one| one.map(|der| Certificate { encoding: CertificateEncoding::Der, data: der.to_vec() }))
        .collect::<Result<_, _>>()
        .map_err(|error| fault(format!("is no PEM file: {error}")))?;
    if certificates.is_empty() {
        return Err(fault("holds no certificate (expected PEM: -----BEGIN CERTIFICATE-----)".into()));
    }
    Ok(certificates)
}

/// Does a token service's answer say that the login is wrong, or that it is not enough?
fn refuses(body: &str) -> bool {
    let body = body.to_ascii_lowercase();
    ["unauthorized", "denied", "forbidden", "incorrect username", "authentication required"]
        .iter()
        .any(|word| body.contains(word))
}

/// As much of somebody else's words as a message takes, on one line.
fn short(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(300) {
        Some((at, _)) => format!("{} ...", &line[..at]),
        None => line,
    }
}

/// Does the registry say that there is no such thing?
fn is_unknown(error: &OciDistributionError) -> bool {
    match error {
        OciDistributionError::ImageManifestNotFoundError(_) | OciDistributionError::ServerError { code: 404, .. } => true,
        OciDistributionError::RegistryError { envelope, .. } => envelope
            .errors
            .iter()
            .any(|one| matches!(one.code, OciErrorCode::ManifestUnknown | OciErrorCode::NameUnknown | OciErrorCode::NotFound)),
        _ => false,
    }
}

/// The versions that exist, the newest first, as far as a message takes them.
fn known_versions(mut tags: Vec<String>) -> String {
    let number = |tag: &String| -> Vec<u64> {
        tag.split(['.', '-', '_']).map_while(|part| part.trim_start_matches('v').parse().ok()).collect()
    };
    tags.sort_by(|a, b| number(b).cmp(&number(a)).then_with(|| a.cmp(b)));
    let more = tags.len().saturating_sub(MOST_VERSIONS);
    tags.truncate(MOST_VERSIONS);
    let known: Vec<String> = tags.into_iter().map(|tag| tag.replace('_', "+")).collect();
    known.join(", ") + &if more > 0 { format!(" and {more} more") } else { String::new() }
}

/// What TLS said, somewhere below.
fn tls_fault<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e rustls::Error> {
    let mut at: Option<&'e (dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = at {
        if let Some(tls) = error.downcast_ref::<rustls::Error>() {
            return Some(tls);
        }
        // An I/O error names as its source what its content names, and not the content.
        let content = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        at = match content {
            Some(content) => Some(content),
            None => error.source(),
        };
    }
    None
}

fn certificate_fault(error: &rustls::CertificateError) -> String {
    use rustls::CertificateError as Fault;
    match error {
        Fault::UnknownIssuer => "nobody who is trusted has signed it".into(),
        Fault::Expired | Fault::ExpiredContext { .. } => "it has expired".into(),
        Fault::NotValidYet | Fault::NotValidYetContext { .. } => "it is not valid yet; is the clock right?".into(),
        Fault::NotValidForName | Fault::NotValidForNameContext { .. } => format!("it is of another host: {error}"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_told_newest_first() {
        let tags = |list: &[&str]| known_versions(list.iter().map(|tag| (*tag).to_owned()).collect());
        assert_eq!(tags(&["0.5.3", "0.10.0", "0.6.0_1"]), "0.10.0, 0.6.0+1, 0.5.3");
        let many: Vec<String> = (0..12).map(|minor| format!("0.{minor}.0")).collect();
        assert!(known_versions(many).ends_with("0.3.0, 0.2.0 and 2 more"));
    }

    #[test]
    fn a_token_service_that_is_out_of_order_refuses_nobody() {
        for body in [
            "{\"errors\":[{\"code\":\"UNAUTHORIZED\"}]}",
            "HTTP Basic: Access denied",
            "{\"details\":\"incorrect username or password\"}",
        ] {
            assert!(refuses(body), "{body}");
        }
        for body in ["", "<html>502 Bad Gateway</html>", "{\"message\":\"too many requests\"}", "GitLab is not responding"] {
            assert!(!refuses(body), "{body}");
        }
        assert_eq!(short(&"x ".repeat(400)).len(), 304);
    }

    #[test]
    fn a_bundle_without_certificates_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ca.pem");
        let of = |path: &Path| authorities(path.to_str().unwrap()).unwrap_err().to_string();
        assert!(of(&path).contains("cannot be read: No such file"), "{}", of(&path));
        std::fs::write(&path, "no certificate\n").unwrap();
        assert!(of(&path).contains("holds no certificate"), "{}", of(&path));
        std::fs::write(&path, "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n").unwrap();
        assert!(of(&path).contains("is no PEM file"), "{}", of(&path));
    }
}
