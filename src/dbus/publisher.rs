//! Turns what the loop publishes into objects, properties and signals.

use std::collections::BTreeSet;
use std::sync::Arc;

use zbus::object_server::InterfaceRef;
use zbus::{Connection, OwnedObjectPath};

use super::check::Check;
use super::job::Job;
use super::manager::Manager;
use super::{Loop, PATH, check_path, job_path};
use crate::agent::publish::Published;

/// Publishes until the loop is gone.
pub async fn run(connection: Connection, of: Loop) {
    let mut changes = of.published.clone();
    let mut before = Arc::new(crate::agent::Agent::nothing_yet());
    loop {
        let now = Arc::clone(&changes.borrow_and_update());
        match publish(&connection, &of, &before, &now).await {
            Ok(()) => before = now,
            // With the next change all of it is told again.
            Err(error) => {
                let error = crate::error::chain(&error);
                tracing::warn!(error, "a change could not be published: {error}");
            }
        }
        if changes.changed().await.is_err() {
            return;
        }
    }
}

async fn publish(connection: &Connection, of: &Loop, before: &Published, now: &Published) -> zbus::Result<()> {
    publish_checks(connection, of, before, now).await?;
    publish_jobs(connection, of, before, now).await?;
    publish_manager(connection, before, now).await
}

/// Takes an object away; one that is gone is no failure.
async fn forget<I: zbus::object_server::Interface>(server: &zbus::ObjectServer, path: String) -> zbus::Result<()> {
    match server.remove::<I, _>(path).await {
        Ok(_) | Err(zbus::Error::InterfaceNotFound) => Ok(()),
        Err(error) => Err(error),
    }
}

async fn publish_manager(connection: &Connection, before: &Published, now: &Published) -> zbus::Result<()> {
    let reference: InterfaceRef<Manager> = connection.object_server().interface(PATH).await?;
    let manager = reference.get().await;
    let emitter = reference.signal_emitter();
    if before.phase != now.phase {
        manager.phase_changed(emitter).await?;
    }
    if before.summary != now.summary {
        manager.summary_changed(emitter).await?;
    }
    if before.generation != now.generation {
        manager.generation_changed(emitter).await?;
    }
    if before.desired_state != now.desired_state {
        manager.desired_state_changed(emitter).await?;
    }
    if before.config_error != now.config_error {
        manager.configuration_error_changed(emitter).await?;
    }
    if before.settling_until != now.settling_until {
        manager.settling_until_changed(emitter).await?;
    }
    if before.pause_reason != now.pause_reason {
        manager.pause_reason_changed(emitter).await?;
    }
    if before.paused_until != now.paused_until {
        manager.paused_until_changed(emitter).await?;
    }
    if before.job.as_ref().map(|job| job.id) != now.job.as_ref().map(|job| job.id) {
        manager.current_job_changed(emitter).await?;
    }
    Ok(())
}

async fn publish_checks(connection: &Connection, of: &Loop, before: &Published, now: &Published) -> zbus::Result<()> {
    let server = connection.object_server();
    for condition in &now.conditions {
        let path = check_path(&condition.id);
        let Some(known) = before.conditions.iter().find(|known| known.id == condition.id) else {
            server.at(path, Check::new(condition.id.clone(), of.clone())).await?;
            continue;
        };
        if known == condition {
            continue;
        }
        let reference: InterfaceRef<Check> = server.interface(path).await?;
        let check = reference.get().await;
        let emitter = reference.signal_emitter();
        if known.status != condition.status {
            check.status_changed(emitter).await?;
            check.since_changed(emitter).await?;
        }
        if known.severity != condition.severity {
            check.severity_changed(emitter).await?;
        }
        if known.reason != condition.reason {
            check.reason_changed(emitter).await?;
        }
        if known.message != condition.message {
            check.message_changed(emitter).await?;
        }
        if known.advice != condition.advice {
            check.advice_changed(emitter).await?;
        }
    }
    for gone in before.conditions.iter().filter(|known| now.conditions.iter().all(|condition| condition.id != known.id)) {
        forget::<Check>(server, check_path(&gone.id)).await?;
    }
    Ok(())
}

fn numbers(published: &Published) -> BTreeSet<u32> {
    published.history.iter().map(|job| job.id).chain(published.job.iter().map(|job| job.id)).collect()
}

async fn publish_jobs(connection: &Connection, of: &Loop, before: &Published, now: &Published) -> zbus::Result<()> {
    let server = connection.object_server();
    let (known, current) = (numbers(before), numbers(now));
    for id in current.difference(&known) {
        server.at(job_path(*id), Job::new(*id, of.clone())).await?;
    }
    let manager: InterfaceRef<Manager> = server.interface(PATH).await?;
    let object = |id: u32| OwnedObjectPath::try_from(job_path(id));
    let running = |published: &Published| published.job.as_ref().map(|job| job.id);
    if let Some(id) = running(now).filter(|id| running(before) != Some(*id)) {
        Manager::job_new(manager.signal_emitter(), id, object(id)?).await?;
    }
    if let Some(id) = running(now).filter(|id| running(before) == Some(*id)) {
        announce_progress(connection, id, before, now).await?;
    }
    if let Some(id) = running(before).filter(|id| running(now) != Some(*id)) {
        let reference: InterfaceRef<Job> = server.interface(job_path(id)).await?;
        let job = reference.get().await;
        let emitter = reference.signal_emitter();
        job.state_changed(emitter).await?;
        job.result_changed(emitter).await?;
        job.error_changed(emitter).await?;
        job.step_changed(emitter).await?;
        job.progress_changed(emitter).await?;
        job.counts_changed(emitter).await?;
        job.cancel_means_changed(emitter).await?;
        job.way_back_changed(emitter).await?;
        job.steps_changed(emitter).await?;
        job.unit_changed(emitter).await?;
        job.invocation_i_d_changed(emitter).await?;
        job.page_gone_changed(emitter).await?;
        job.page_back_changed(emitter).await?;
        job.finished_changed(emitter).await?;
        let result = now.history.iter().find(|job| job.id == id).map(|job| job.result.as_str()).unwrap_or_default();
        Manager::job_removed(manager.signal_emitter(), id, object(id)?, result.to_owned()).await?;
    }
    for id in known.difference(&current) {
        forget::<Job>(server, job_path(*id)).await?;
    }
    Ok(())
}

async fn announce_progress(connection: &Connection, id: u32, before: &Published, now: &Published) -> zbus::Result<()> {
    let (Some(old), Some(new)) = (&before.job, &now.job) else { return Ok(()) };
    if old == new {
        return Ok(());
    }
    let reference: InterfaceRef<Job> = connection.object_server().interface(job_path(id)).await?;
    let job = reference.get().await;
    let emitter = reference.signal_emitter();
    if old.stage != new.stage {
        job.stage_changed(emitter).await?;
    }
    if old.step != new.step {
        job.step_changed(emitter).await?;
    }
    if (old.progress - new.progress).abs() > f64::EPSILON {
        job.progress_changed(emitter).await?;
    }
    if old.counts != new.counts {
        job.counts_changed(emitter).await?;
    }
    if old.cancel_means != new.cancel_means {
        job.cancel_means_changed(emitter).await?;
    }
    if old.way_back != new.way_back {
        job.way_back_changed(emitter).await?;
    }
    if (old.requester, &old.session) != (new.requester, &new.session) {
        job.requester_changed(emitter).await?;
        job.session_changed(emitter).await?;
    }
    if old.page != new.page {
        job.page_gone_changed(emitter).await?;
        job.page_back_changed(emitter).await?;
    }
    if old.steps != new.steps {
        job.steps_changed(emitter).await?;
    }
    if old.unit != new.unit {
        job.unit_changed(emitter).await?;
    }
    if old.invocation != new.invocation {
        job.invocation_i_d_changed(emitter).await?;
    }
    Ok(())
}
