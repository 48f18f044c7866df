//! polkit decides whether a caller may do something. Without polkit nobody may.

use std::collections::HashMap;

use zbus::Connection;
use zbus::message::{Flags, Header};
use zbus_polkit::policykit1::{AuthorityProxy, CheckAuthorizationFlags, Subject};

use super::error::CallError;
use crate::agent::requests::Requester;
use crate::systemd::{LoginProxy, SessionProxy};

/// What a caller wants to do: an action of `packaging/polkit-1/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Deploy.
    Deploy,
    /// Undeploy.
    Undeploy,
    /// Cancel a job.
    ManageJobs,
    /// Pause, resume, reload.
    Configure,
}

impl Action {
    /// The action's id.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Deploy => "ai.kaapana.agent.deploy",
            Self::Undeploy => "ai.kaapana.agent.undeploy",
            Self::ManageJobs => "ai.kaapana.agent.manage-jobs",
            Self::Configure => "ai.kaapana.agent.configure",
        }
    }
}

/// Authorizes the sender of a message and returns who it is.
///
/// # Errors
///
/// `AccessDenied`, or `InteractiveAuthorizationRequired` when a password would
/// help and the message does not allow to ask for one.
pub async fn authorize(connection: &Connection, header: &Header<'_>, action: Action) -> Result<Requester, CallError> {
    let denied = |why: &str| CallError::denied(format!("{}: {why}", action.id()));
    let sender = header.sender().ok_or_else(|| denied("the caller has no name on the bus"))?;
    let bus = zbus::fdo::DBusProxy::new(connection).await.map_err(|_| denied("the bus does not answer"))?;
    let uid = bus.get_connection_unix_user(sender.to_owned().into()).await.map_err(|_| denied("the caller went away"))?;
    let subject = Subject::new_for_message_header(header).map_err(|_| denied("the caller has no name on the bus"))?;
    let interactive = header.primary().flags().contains(Flags::ALLOW_INTERACTIVE_AUTH);
    let flags = if interactive { CheckAuthorizationFlags::ALLOW_USER_INTERACTION } else { CheckAuthorizationFlags::empty() };
    let authority = AuthorityProxy::new(connection).await.map_err(|_| denied("polkit is not there, so nobody is authorized"))?;
    let answer = authority
        .check_authorization(&subject, action.id(), &HashMap::new(), flags, "")
        .await
        .map_err(|_| denied("polkit does not answer, so nobody is authorized"))?;
    if answer.is_authorized {
        let pid = bus.get_connection_unix_process_id(sender.to_owned().into()).await.ok();
        let session = match pid {
            Some(pid) => session(connection, pid).await.unwrap_or_default(),
            None => String::new(),
        };
        return Ok(Requester { uid, session });
    }
    if answer.is_challenge && !interactive {
        return Err(CallError::interactive(format!("{}: authentication is required", action.id())));
    }
    Err(denied("not authorized"))
}

/// The caller's session, for the history. Without a login manager nobody has one.
async fn session(connection: &Connection, pid: u32) -> zbus::Result<String> {
    let path = LoginProxy::new(connection).await?.get_session_by_pid(pid).await?;
    SessionProxy::builder(connection).path(path).cache_properties(zbus::proxy::CacheProperties::No).build().await?.id().await
}
