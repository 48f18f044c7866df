//! The container runtime, over the Container Runtime Interface (CRI).
//!
//! Only what is needed is spoken: is it ready, is an image there, and pull it. The
//! messages are those of `runtime.v1.RuntimeService` and `runtime.v1.ImageService` (Kubernetes'
//! `cri-api`, served by containerd since 1.6). Names are resolved by the runtime itself, so that
//! `nginx` and `docker.io/library/nginx:latest` are the same here and in the kubelet.

use std::path::Path;
use std::time::Duration;

use http::uri::PathAndQuery;
use hyper_util::rt::TokioIo;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

/// How long an answer other than a pull may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Why the runtime could not be asked or did not do it.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// Nobody answers at its socket.
    #[error("the container runtime does not answer at {socket}")]
    Unreachable {
        /// The socket.
        socket: String,
        /// The reason.
        source: tonic::transport::Error,
    },
    /// It refused. Its sentence may quote what it was asked, never the password.
    #[error("the container runtime: {0}")]
    Refused(String),
    /// It does not know what it was asked.
    #[error("the container runtime is too old: containerd 1.6 or newer is needed")]
    TooOld,
}

impl From<Status> for RuntimeError {
    fn from(status: Status) -> Self {
        if status.code() == tonic::Code::Unimplemented {
            return Self::TooOld;
        }
        Self::Refused(status.message().to_owned())
    }
}

/// Name and password for a registry.
#[derive(Clone)]
pub struct Credentials {
    /// The user.
    pub username: String,
    /// The password. It travels in the message, never in an argument.
    pub password: String,
}

/// A connection to the runtime.
pub struct Runtime {
    channel: Channel,
}

impl Runtime {
    /// Connects to the socket of a runtime.
    ///
    /// # Errors
    ///
    /// When nobody answers there.
    pub async fn connect(socket: &Path) -> Result<Self, RuntimeError> {
        let path = socket.to_path_buf();
        // The address is not looked at: every connection goes to the socket.
        let endpoint = Endpoint::from_static("http://localhost").connect_timeout(PATIENCE);
        let channel = endpoint
            .connect_with_connector(tower::service_fn(move |_| {
                let path = path.clone();
                async move { tokio::net::UnixStream::connect(path).await.map(TokioIo::new) }
            }))
            .await
            .map_err(|source| RuntimeError::Unreachable { socket: socket.display().to_string(), source })?;
        Ok(Self { channel })
    }

    /// What it says of itself and of its network: condition, reason and message of each that
    /// does not hold. Nothing: it is ready.
    ///
    /// # Errors
    ///
    /// When it does not say within `limit`.
    pub async fn unready(&self, limit: Duration) -> Result<Vec<[String; 3]>, RuntimeError> {
        let request = StatusRequest { verbose: false };
        let answer: StatusResponse = self.ask("/runtime.v1.RuntimeService/Status", request, limit).await?;
        Ok(unready(answer.status.unwrap_or_default()))
    }

    /// Is this image there?
    ///
    /// # Errors
    ///
    /// When the runtime does not say, or the name is none.
    pub async fn has(&self, image: &str) -> Result<bool, RuntimeError> {
        let request = ImageStatusRequest { image: Some(ImageSpec { image: image.into() }) };
        let answer: ImageStatusResponse = self.ask("/runtime.v1.ImageService/ImageStatus", request, PATIENCE).await?;
        Ok(answer.image.is_some())
    }

    /// Pulls an image; one that is there already is asked for anew. The runtime goes on
    /// for a moment when `limit` passes, and keeps what it has.
    ///
    /// # Errors
    ///
    /// When the runtime cannot pull it.
    pub async fn pull(&self, image: &str, credentials: Option<Credentials>, limit: Duration) -> Result<(), RuntimeError> {
        let auth = credentials.map(|known| AuthConfig { username: known.username, password: known.password });
        let request = PullImageRequest { image: Some(ImageSpec { image: image.into() }), auth };
        let _: PullImageResponse = self.ask("/runtime.v1.ImageService/PullImage", request, limit).await?;
        Ok(())
    }

    async fn ask<Q, A>(&self, method: &'static str, question: Q, limit: Duration) -> Result<A, RuntimeError>
    where
        Q: prost::Message + Send + Sync + 'static,
        A: prost::Message + Default + Send + Sync + 'static,
    {
        let mut client = tonic::client::Grpc::new(self.channel.clone());
        let asking = async {
            client.ready().await.map_err(|fault| RuntimeError::Refused(crate::error::chain(&fault)))?;
            let path = PathAndQuery::from_static(method);
            let answer = client.unary(Request::new(question), path, tonic_prost::ProstCodec::<Q, A>::default()).await?;
            Ok(answer.into_inner())
        };
        match tokio::time::timeout(limit, asking).await {
            Ok(answer) => answer,
            Err(_) => Err(RuntimeError::Refused(format!("no answer within {} s", limit.as_secs()))),
        }
    }
}

/// The conditions that the kubelet asks for (`cri-api`, "RequiredConditions"). Others, such as that
/// of containerd 1.7 on what is deprecated, say nothing of readiness.
const NEEDED: [&str; 2] = ["RuntimeReady", "NetworkReady"];

fn unready(status: RuntimeStatus) -> Vec<[String; 3]> {
    let bad = |one: &RuntimeCondition| !one.status && NEEDED.contains(&one.kind.as_str());
    status.conditions.into_iter().filter(bad).map(|one| [one.kind, one.reason, one.message]).collect()
}

// The messages, as far as they are used. Fields that are not named here are skipped
// when read and left at their default when written.

#[derive(Clone, PartialEq, prost::Message)]
struct ImageSpec {
    #[prost(string, tag = "1")]
    image: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ImageStatusRequest {
    #[prost(message, optional, tag = "1")]
    image: Option<ImageSpec>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Image {
    #[prost(string, tag = "1")]
    id: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ImageStatusResponse {
    #[prost(message, optional, tag = "1")]
    image: Option<Image>,
}

#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
struct AuthConfig {
    #[prost(string, tag = "1")]
    username: String,
    #[prost(string, tag = "2")]
    password: String,
}

impl std::fmt::Debug for AuthConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuthConfig").finish_non_exhaustive()
    }
}

#[derive(Clone, PartialEq, prost::Message)]
struct PullImageRequest {
    #[prost(message, optional, tag = "1")]
    image: Option<ImageSpec>,
    #[prost(message, optional, tag = "2")]
    auth: Option<AuthConfig>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct PullImageResponse {
    #[prost(string, tag = "1")]
    image_ref: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct StatusRequest {
    #[prost(bool, tag = "1")]
    verbose: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
struct StatusResponse {
    #[prost(message, optional, tag = "1")]
    status: Option<RuntimeStatus>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct RuntimeStatus {
    #[prost(message, repeated, tag = "1")]
    conditions: Vec<RuntimeCondition>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct RuntimeCondition {
    #[prost(string, tag = "1")]
    kind: String,
    #[prost(bool, tag = "2")]
    status: bool,
    #[prost(string, tag = "3")]
    reason: String,
    #[prost(string, tag = "4")]
    message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_kubelet_needs_decides() {
        let one = |kind: &str, status| RuntimeCondition { kind: kind.into(), status, reason: "R".into(), message: "m".into() };
        let deprecation = one("ContainerdHasNoDeprecationWarnings", false);
        let good = RuntimeStatus { conditions: vec![one("RuntimeReady", true), one("NetworkReady", true), deprecation.clone()] };
        assert!(unready(good).is_empty());
        let bad = RuntimeStatus { conditions: vec![one("RuntimeReady", true), one("NetworkReady", false), deprecation] };
        assert_eq!(unready(bad), [["NetworkReady".to_owned(), "R".into(), "m".into()]]);
    }
}
