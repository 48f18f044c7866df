//! The platform's web page: does it answer, and until when is its certificate good? Asked
//! every second while a job works, so that the time without a platform is known, and every
//! minute else.
//!
//! It is asked at the node's own address with the platform's name, so that neither DNS
//! nor a firewall in between counts. Who signed its certificate does not count: the platform's
//! own is signed by itself.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::{Observation, Observations};
use crate::config::Settings;
use crate::error::chain;
use crate::state::{Node, Observed, Page};

/// How often it is asked while a job works; the down time is known as exactly.
pub const PERIOD_JOB: Duration = Duration::from_secs(1);

/// How often else.
pub const PERIOD: Duration = Duration::from_secs(60);

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Which page to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Address of the node.
    pub address: IpAddr,
    /// Name of the platform.
    pub host: String,
    /// HTTPS port.
    pub port: u16,
    /// A pause between two questions.
    pub period: Duration,
}

impl Question {
    /// The page of a platform with these settings on this node; `None`: the node has no address.
    #[must_use]
    pub fn of(node: &Node, settings: &Settings, period: Duration) -> Option<Self> {
        Some(Self {
            address: node.address.as_ref()?.parse().ok()?,
            host: settings.text("platform.domain").to_owned(),
            port: u16::try_from(settings.integer("network.https_port")).ok()?,
            period,
        })
    }

    /// The page's address as users write it.
    #[must_use]
    pub fn url(&self) -> String {
        match self.port {
            443 => format!("https://{}/", self.host),
            port => format!("https://{}:{port}/", self.host),
        }
    }
}

/// Asks while there is a question, until the receiver is gone.
pub async fn run(mut question: watch::Receiver<Option<Question>>, observations: Observations) {
    let Ok(config) = config() else { return };
    loop {
        let asked = question.borrow_and_update().clone();
        let seen = match &asked {
            Some(question) => Observed::Fresh(ask(&config, question).await),
            None => Observed::Unknown { reason: "there is no platform, or its node has no address".into() },
        };
        if observations.send(Observation::Page(seen)).await.is_err() {
            return;
        }
        tokio::select! {
            () = pause(asked.as_ref()) => {}
            changed = question.changed() => if changed.is_err() { return },
        }
    }
}

/// Asks once.
///
/// # Errors
///
/// A sentence, when nothing can be asked.
pub async fn ask_once(question: &Question) -> Result<Page, String> {
    Ok(ask(&config().map_err(|error| error.to_string())?, question).await)
}

async fn pause(asked: Option<&Question>) {
    match asked {
        Some(question) => tokio::time::sleep(question.period).await, // ok: a period, not a test
        None => std::future::pending().await,
    }
}

async fn ask(config: &Arc<ClientConfig>, question: &Question) -> Page {
    let url = question.url();
    let mut certificate = None;
    let answer = tokio::time::timeout(PATIENCE, get(config, question, &mut certificate)).await;
    let (answers, message) = match answer {
        Ok(Ok(status)) => (status.as_u16() < 500, status.to_string()),
        Ok(Err(message)) => (false, message),
        Err(_) => (false, format!("no answer within {} s", PATIENCE.as_secs())),
    };
    Page { url, answers, message, certificate }
}

/// `certificate`: when the page's own ends, once it was shown.
async fn get(
    config: &Arc<ClientConfig>,
    question: &Question,
    certificate: &mut Option<Timestamp>,
) -> Result<http::StatusCode, String> {
    let stream = TcpStream::connect((question.address, question.port)).await.map_err(|error| error.to_string())?;
    let name = ServerName::try_from(question.host.clone()).map_err(|error| error.to_string())?;
    let stream =
        tokio_rustls::TlsConnector::from(Arc::clone(config)).connect(name, stream).await.map_err(|error| chain(&error))?;
    let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    *certificate = shown.and_then(|own| super::certificates::expires(own).ok());
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake::<_, String>(TokioIo::new(stream)).await.map_err(|error| chain(&error))?;
    let request = http::Request::get("/")
        .header(http::header::HOST, &question.host)
        .body(String::new())
        .map_err(|error| error.to_string())?;
    // Ends with the answer: whatever comes after the status is of no interest.
    tokio::select! {
        answer = sender.send_request(request) => answer.map(|response| response.status()).map_err(|error| chain(&error)),
        ended = connection => Err(ended.map_or_else(|error| chain(&error), |()| "the connection was closed".to_owned())),
    }
}

fn config() -> Result<Arc<ClientConfig>, Error> {
    let provider = Arc::new(ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone(provider)))
        .with_no_client_auth();
    config.enable_sni = true;
    Ok(Arc::new(config))
}

/// Takes any certificate: nothing is told to the page, and a platform's own
/// certificate is signed by itself.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_that_is_closed_does_not_answer() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let question = Question { address: [127, 0, 0, 1].into(), host: "kaapana.example.org".into(), port, period: PERIOD };
        let page = ask(&config().unwrap(), &question).await;
        assert!(!page.answers && page.message.contains("refused"), "{page:?}");
        assert_eq!(page.url, format!("https://kaapana.example.org:{port}/"));
    }
}
