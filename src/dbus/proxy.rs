//! The client's side of the interface.

use std::collections::HashMap;

use zbus::{OwnedObjectPath, Variant};

/// `ai.kaapana.Agent1.Manager`.
#[zbus::proxy(
    interface = "ai.kaapana.Agent1.Manager",
    default_service = "ai.kaapana.Agent1",
    default_path = "/ai/kaapana/Agent1"
)]
pub trait Manager {
    /// Everything that is published, as JSON.
    fn describe(&self) -> zbus::Result<String>;
    /// The values for Helm, masked, as JSON.
    fn values(&self, options: HashMap<&str, Variant<'_>>) -> zbus::Result<String>;
    /// What would be done, as JSON.
    fn plan(&self, options: HashMap<&str, Variant<'_>>) -> zbus::Result<String>;
    /// Deploys.
    #[zbus(allow_interactive_auth)]
    fn deploy(&self, options: HashMap<&str, Variant<'_>>) -> zbus::Result<OwnedObjectPath>;
    /// Takes over what somebody else deployed; returns what that means.
    #[zbus(allow_interactive_auth)]
    fn adopt(&self, options: HashMap<&str, Variant<'_>>) -> zbus::Result<String>;
    /// Migrates the data.
    #[zbus(allow_interactive_auth)]
    fn migrate(&self, options: HashMap<&str, Variant<'_>>) -> zbus::Result<OwnedObjectPath>;
    /// Imports an archive of images.
    #[zbus(allow_interactive_auth)]
    fn import_images(&self, archive: &str, options: HashMap<&str, Variant<'_>>) -> zbus::Result<OwnedObjectPath>;
    /// Forgets a migration that was begun; returns what that means.
    #[zbus(allow_interactive_auth)]
    fn forget_migration(&self, options: HashMap<&str, Variant<'_>>) -> zbus::Result<String>;
    /// Undeploys.
    #[zbus(allow_interactive_auth)]
    fn undeploy(&self, options: HashMap<&str, Variant<'_>>) -> zbus::Result<OwnedObjectPath>;
    /// Cancels a job; returns what that means.
    #[zbus(allow_interactive_auth)]
    fn cancel_job(&self, id: u32, options: HashMap<&str, Variant<'_>>) -> zbus::Result<String>;
    /// Pauses.
    #[zbus(allow_interactive_auth)]
    fn pause(&self, reason: &str, until: u64, options: HashMap<&str, Variant<'_>>) -> zbus::Result<()>;
    /// Resumes.
    #[zbus(allow_interactive_auth)]
    fn resume(&self, options: HashMap<&str, Variant<'_>>) -> zbus::Result<()>;
    /// Reads the configuration.
    #[zbus(allow_interactive_auth)]
    fn reload(&self, options: HashMap<&str, Variant<'_>>) -> zbus::Result<u64>;
    /// A job ended.
    #[zbus(signal)]
    fn job_removed(&self, id: u32, job: OwnedObjectPath, result: String) -> zbus::Result<()>;
    /// The phase.
    #[zbus(property)]
    fn phase(&self) -> zbus::Result<String>;
    /// The phase in a sentence.
    #[zbus(property)]
    fn summary(&self) -> zbus::Result<String>;
    /// The generation in force.
    #[zbus(property)]
    fn generation(&self) -> zbus::Result<u64>;
}
