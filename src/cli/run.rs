//! What each command calls.

use std::collections::HashMap;
use std::io::{IsTerminal as _, Write as _};

use zbus::{Connection, Variant};

use super::{Command, ConfigCommand, How, ImagesCommand, Which, exit, follow, text};
use crate::config::{self, ConfigError, Directories, Fragments};
use crate::dbus::proxy::ManagerProxy;
use crate::planner::preflight::DATA_VERSION;
use crate::state::Status;

/// Runs a command and returns the exit status. Results go to standard output,
/// everything else to standard error.
pub async fn run(command: Command) -> u8 {
    match command {
        Command::Config { command: ConfigCommand::Check { which } } => check(&which),
        Command::Config { command: ConfigCommand::Show { origin, which } } => show(&which, origin),
        Command::Import { file, write, directory } => super::import::run(&file, write, directory.as_deref()),
        Command::Doctor { program, options } => super::doctor::ask(&options, &program).await,
        Command::Logs { job, follow } => logs(job, follow).await,
        command => {
            let connection = match Connection::system().await {
                Ok(connection) => connection,
                Err(error) => {
                    eprintln!("kaapanactl: the system bus cannot be reached: {error}; look at systemctl status dbus");
                    return exit::UNREACHABLE;
                }
            };
            match call(&connection, command).await {
                Ok(code) => code,
                Err(error) => failed(&error),
            }
        }
    }
}

fn unreachable(why: &str) -> u8 {
    eprintln!("kaapanactl: {why}\nStart the agent with: systemctl start kaapana-agent");
    exit::UNREACHABLE
}

/// Says what went wrong and chooses the exit status.
fn failed(error: &zbus::Error) -> u8 {
    if follow::is_gone(error) {
        return unreachable("the agent is not running");
    }
    let (name, message) = match error {
        zbus::Error::MethodError(name, message, _) => (name.to_string(), message.clone().unwrap_or_default()),
        zbus::Error::FDO(inner) => (zbus::DBusError::name(inner.as_ref()).to_string(), inner.to_string()),
        other => (String::new(), other.to_string()),
    };
    match name.rsplit('.').next().unwrap_or_default() {
        "AccessDenied" | "InteractiveAuthorizationRequired" => {
            eprintln!("kaapanactl: not authorized: {message}\nRun it as root, or as a user whom polkit lets do it.");
            exit::NOT_AUTHORIZED
        }
        "NothingToDo" => {
            eprintln!("nothing to do: {message}");
            exit::NOTHING_TO_DO
        }
        _ => {
            eprintln!("kaapanactl: {message}");
            exit::FAILED
        }
    }
}

async fn call(connection: &Connection, command: Command) -> zbus::Result<u8> {
    let manager = ManagerProxy::builder(connection).cache_properties(zbus::proxy::CacheProperties::No).build().await?;
    // For the time of the call, something on this terminal can ask for a password.
    let asks = !matches!(
        command,
        Command::Status { .. }
            | Command::Plan { .. }
            | Command::Values { .. }
            | Command::Why
            | Command::History { .. }
            | Command::Job { .. }
            | Command::Wait { .. }
    );
    let terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    let _agent = (asks && terminal && !rustix::process::geteuid().is_root()).then(crate::command::start_terminal_agent);
    match command {
        Command::Status { json, watch, all } => status(&manager, json, watch, all).await,
        Command::Plan { json } => {
            let document = manager.plan(HashMap::new()).await?;
            print(&if json { document + "\n" } else { text::plan(&serde_json::from_str(&document).unwrap_or_default()) });
            Ok(exit::DONE)
        }
        Command::Values { json } => {
            let document = manager.values(HashMap::new()).await?;
            print(&if json { document + "\n" } else { text::values(&serde_json::from_str(&document).unwrap_or_default()) });
            Ok(exit::DONE)
        }
        Command::Deploy {
            again,
            now,
            stop_workflows,
            unlock,
            accept_identity_change,
            accept_disk_change,
            accept_unknown_data,
            accept_fresh_deploy,
            how,
        } => {
            let Some(stop_workflows) = ask_about_workflows(&manager, stop_workflows).await? else { return Ok(exit::FAILED) };
            let mut options = options(&how);
            options.insert("stop-workflows", Variant::from(stop_workflows));
            options.insert("unlock", Variant::from(unlock));
            options.insert("again", Variant::from(again));
            options.insert("now", Variant::from(now));
            options.insert("accept-identity-change", Variant::from(accept_identity_change));
            options.insert("accept-disk-change", Variant::from(accept_disk_change));
            options.insert("accept-unknown-data", Variant::from(accept_unknown_data));
            options.insert("accept-fresh-deploy", Variant::from(accept_fresh_deploy));
            let mut changes = follow::Changes::listen(&Connection::system().await?).await?;
            let job = manager.deploy(options).await?;
            wait(&mut changes, &manager, job.as_str(), &how).await
        }
        Command::Adopt { yes } => adopt(&manager, yes).await,
        Command::Migrate { yes, restored: true, .. } => forget_migration(&manager, yes).await,
        Command::Migrate { yes, restored: false, now, unlock, how } => {
            if !yes && !ask_about_backup(&manager).await? {
                return Ok(exit::FAILED);
            }
            let mut options = options(&how);
            options.insert("now", Variant::from(now));
            options.insert("unlock", Variant::from(unlock));
            let mut changes = follow::Changes::listen(&Connection::system().await?).await?;
            let job = manager.migrate(options).await?;
            wait(&mut changes, &manager, job.as_str(), &how).await
        }
        Command::Undeploy { no_hooks, nuke_pods, yes, stop_workflows, unlock, how } => {
            if nuke_pods && !ask_about_pods(&manager, yes).await? {
                return Ok(exit::FAILED);
            }
            let asked = if yes { Some(stop_workflows) } else { ask_about_workflows(&manager, stop_workflows).await? };
            let Some(stop_workflows) = asked else { return Ok(exit::FAILED) };
            let mut options = options(&how);
            options.insert("no-hooks", Variant::from(no_hooks));
            options.insert("nuke-pods", Variant::from(nuke_pods));
            options.insert("stop-workflows", Variant::from(stop_workflows));
            options.insert("unlock", Variant::from(unlock));
            let mut changes = follow::Changes::listen(&Connection::system().await?).await?;
            let job = manager.undeploy(options).await?;
            wait(&mut changes, &manager, job.as_str(), &how).await
        }
        Command::Images { command: ImagesCommand::Import { archive, how } } => {
            let archive = std::path::absolute(&archive).unwrap_or(archive);
            let mut changes = follow::Changes::listen(&Connection::system().await?).await?;
            let job = manager.import_images(&archive.to_string_lossy(), options(&how)).await?;
            wait(&mut changes, &manager, job.as_str(), &how).await
        }
        Command::Pause { reason, span } => {
            let after = |span| {
                jiff::Timestamp::now().saturating_add(jiff::SignedDuration::try_from(span).unwrap_or(jiff::SignedDuration::MAX))
            };
            let until = span.map(|span| after(span).unwrap_or(jiff::Timestamp::MAX));
            manager.pause(&reason, crate::dbus::microseconds(until), HashMap::new()).await?;
            let end = until.map_or_else(|| "until kaapanactl resume".to_owned(), |until| format!("until {}", text::time(until)));
            eprintln!("paused {end}; a job that has begun to change the platform goes on to its end");
            Ok(exit::DONE)
        }
        Command::Resume => {
            manager.resume(HashMap::new()).await?;
            eprintln!("resumed");
            Ok(exit::DONE)
        }
        Command::Reload => {
            let generation = manager.reload(HashMap::new()).await?;
            eprintln!("generation {generation} is in force");
            Ok(exit::DONE)
        }
        Command::Wait { timeout } => {
            let mut changes = follow::Changes::listen(&Connection::system().await?).await?;
            match tokio::time::timeout(timeout, follow::until_settled(&mut changes, &manager)).await {
                Ok(settled) => settled,
                Err(_) => {
                    eprintln!("kaapanactl: not as wished within {} s", timeout.as_secs());
                    Ok(exit::FAILED)
                }
            }
        }
        Command::Why => {
            let plan = serde_json::from_str(&manager.plan(HashMap::new()).await?).unwrap_or_default();
            print(&text::why(&published(&manager).await?, &plan));
            Ok(exit::DONE)
        }
        Command::Cancel { job, yes } => cancel(&manager, job, yes).await,
        Command::History { json } => {
            let published = published(&manager).await?;
            if json {
                let document = serde_json::json!({"running": published.job, "finished": published.history});
                print(&format!("{document}\n"));
            } else {
                print(&text::history(&published));
            }
            Ok(exit::DONE)
        }
        Command::Job { job, json } => {
            let published = published(&manager).await?;
            let running = published.job.as_ref().filter(|running| running.id == job);
            let finished = published.history.iter().find(|finished| finished.id == job);
            match (running, finished) {
                (Some(job), _) if json => print(&format!("{}\n", serde_json::to_string(job).unwrap_or_default())),
                (Some(job), _) => print(&text::running_job(job)),
                (None, Some(job)) if json => print(&format!("{}\n", serde_json::to_string(job).unwrap_or_default())),
                (None, Some(job)) => print(&text::finished_job(job)),
                (None, None) => {
                    eprintln!("kaapanactl: there is no job {job}; kaapanactl history lists them");
                    return Ok(exit::FAILED);
                }
            }
            Ok(exit::DONE)
        }
        Command::Config { .. } | Command::Doctor { .. } | Command::Import { .. } | Command::Logs { .. } => Ok(exit::USAGE),
    }
}

/// Asks on the terminal. Without one the answer is no, and the sentence says what to add.
fn confirm(question: &str, option: &str) -> bool {
    if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
        eprintln!("kaapanactl: {question}\nThere is no terminal to ask on; {option} goes on without asking.");
        return false;
    }
    eprint!("{question}\nGo on? [y/N] ");
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).ok();
    let agreed = matches!(answer.trim(), "y" | "Y" | "yes");
    if !agreed {
        eprintln!("nothing was done");
    }
    agreed
}

/// Says whose work would be lost and asks: wait for it, go on, or do nothing (`None`).
async fn ask_about_workflows(manager: &ManagerProxy<'_>, stop: bool) -> zbus::Result<Option<bool>> {
    let running = published(manager).await?.running.map(|running| running.workflows).unwrap_or_default();
    if running.is_empty() {
        return Ok(Some(stop));
    }
    let are = if running.len() == 1 { "1 workflow pod is".to_owned() } else { format!("{} workflow pods are", running.len()) };
    eprintln!("{are} running: {}", running.join(", "));
    if stop {
        return Ok(Some(true));
    }
    if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
        eprintln!("They are waited for as deployment.wait_for_workflows says; --stop-workflows does not wait.");
        return Ok(Some(false));
    }
    eprint!("They lose the platform under them. [w]ait for them as configured, go on [a]t once, or do [n]othing? [w/a/N] ");
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).ok();
    Ok(match answer.trim() {
        "w" | "W" => Some(false),
        "a" | "A" => Some(true),
        _ => {
            eprintln!("nothing was done");
            None
        }
    })
}

/// Says how many pods are deleted by force and what is left alone, and asks.
async fn ask_about_pods(manager: &ManagerProxy<'_>, yes: bool) -> zbus::Result<bool> {
    let running = published(manager).await?.running.unwrap_or_default();
    let mut question = format!(
        "Of the {} pods of this platform those that do not end by themselves in their time are deleted by force: what \
         they have not written to disk is lost.",
        running.pods.len()
    );
    if !running.strangers.is_empty() {
        question += &format!("\nNot this platform's, and left alone: {}", running.strangers.join(", "));
    }
    if yes {
        eprintln!("{question}");
        return Ok(true);
    }
    Ok(confirm(&question, "--yes"))
}

/// Says what would stay different, and asks.
async fn adopt(manager: &ManagerProxy<'_>, yes: bool) -> zbus::Result<u8> {
    let plan: serde_json::Value = serde_json::from_str(&manager.plan(HashMap::new()).await?).unwrap_or_default();
    let changes = text::changes(&plan);
    if !changes.is_empty() && !yes {
        eprint!("What is deployed differs from the configuration, and stays so until it changes or someone deploys:\n{changes}");
        if !confirm(
            "The agent watches it from now on, records its disks, and changes it when the configuration changes.",
            "--yes",
        ) {
            return Ok(exit::FAILED);
        }
    }
    eprintln!("{}", manager.adopt(HashMap::new()).await?);
    Ok(exit::DONE)
}

/// Says what is migrated, and asks for a backup; when there is nothing to migrate the agent
/// says so better.
async fn ask_about_backup(manager: &ManagerProxy<'_>) -> zbus::Result<bool> {
    let published = published(manager).await?;
    let needed = published.conditions.iter().find(|condition| condition.id == DATA_VERSION && condition.status != Status::True);
    let Some(needed) = needed.filter(|_| published.job.is_none()) else { return Ok(true) };
    let question = format!(
        "{}.\nThe migration changes the data in both data directories and cannot be undone; the platform is down until it has \
         ended, which may take hours.\nIs there a backup of both data directories, made with the platform down or by a snapshot?",
        needed.message
    );
    Ok(confirm(&question, "--yes"))
}

/// Says what it means that the data was restored, and asks.
async fn forget_migration(manager: &ManagerProxy<'_>, yes: bool) -> zbus::Result<u8> {
    let question = "What lies in the data directories counts as restored from then on, and is deployed onto when its version \
                    fits. Data that a migration changed in part is lost to every version. Was all of it restored?";
    if !yes && !confirm(question, "--yes") {
        return Ok(exit::FAILED);
    }
    eprintln!("{}", manager.forget_migration(HashMap::new()).await?);
    Ok(exit::DONE)
}

async fn cancel(manager: &ManagerProxy<'_>, job: Option<u32>, yes: bool) -> zbus::Result<u8> {
    let running = published(manager).await?.job;
    let Some(id) = job.or(running.as_ref().map(|job| job.id)) else {
        eprintln!("nothing to do: no job is running");
        return Ok(exit::NOTHING_TO_DO);
    };
    if let Some(means) = running.filter(|job| job.id == id).map(|job| job.cancel_means).filter(|means| !means.is_empty())
        && !yes
        && !confirm(&format!("Job {id}: {means}."), "--yes")
    {
        return Ok(exit::FAILED);
    }
    let means = manager.cancel_job(id, HashMap::new()).await?;
    eprintln!("job {id} is being canceled: {means}");
    Ok(exit::DONE)
}

fn options(how: &How) -> HashMap<&'static str, Variant<'static>> {
    HashMap::from([("reason", Variant::from(how.reason.clone()))])
}

async fn published(manager: &ManagerProxy<'_>) -> zbus::Result<crate::agent::publish::Published> {
    let text = manager.describe().await?;
    serde_json::from_str(&text).map_err(|error| {
        zbus::Error::Failure(format!("another version of the agent runs ({error}); systemctl restart kaapana-agent"))
    })
}

async fn status(manager: &ManagerProxy<'_>, json: bool, watch: bool, all: bool) -> zbus::Result<u8> {
    if watch {
        let mut changes = follow::Changes::listen(&Connection::system().await?).await?;
        follow::state(&mut changes, manager, json, all).await?;
        return Ok(exit::DONE);
    }
    let published = published(manager).await?;
    print(&if json {
        serde_json::to_string_pretty(&published).unwrap_or_default() + "\n"
    } else {
        text::status(&published, all)
    });
    Ok(text::status_code(&published))
}

/// Follows a job to its end, unless told otherwise. Ctrl-C ends the following only.
async fn wait(changes: &mut follow::Changes, manager: &ManagerProxy<'_>, path: &str, how: &How) -> zbus::Result<u8> {
    let id: u32 = path.rsplit('/').next().and_then(|number| number.parse().ok()).unwrap_or_default();
    eprintln!("job {id} accepted");
    if how.no_wait {
        print(&format!("{id}\n"));
        return Ok(exit::DONE);
    }
    let mut signals = signal_hook_tokio::Signals::new([signal_hook::consts::SIGINT])
        .map_err(|error| zbus::Error::Failure(error.to_string()))?;
    let finished = tokio::select! {
        finished = follow::job(changes, manager, id) => finished?,
        _ = futures_util::StreamExt::next(&mut signals) => {
            eprintln!("\nJob {id} goes on without being followed; kaapanactl status --watch shows it.");
            return Ok(130);
        }
    };
    let (said, done) = follow::end(&finished);
    eprintln!("{said}");
    if !done {
        eprintln!("Look at: kaapanactl logs {id}");
        return Ok(exit::FAILED);
    }
    if finished.kind == crate::ledger::JobKind::Migrate {
        eprintln!("The deployment follows by itself: kaapanactl wait shows it.");
    }
    if finished.kind == crate::ledger::JobKind::Deploy
        && let Some(platform) = published(manager).await?.platform
    {
        eprintln!(
            "The platform is at {} - the first login is user kaapana (see the documentation of Kaapana for the password).",
            platform.address
        );
    }
    Ok(exit::DONE)
}

/// Prints a result. A reader that has seen enough (`| head`) is no failure.
pub(super) fn print(text: &str) {
    std::io::stdout().write_all(text.as_bytes()).ok();
}

/// Reads what is meant, and how it is called.
fn fragments(which: &Which) -> (String, Result<Fragments, ConfigError>) {
    let Some(path) = &which.path else {
        let mut directories = Directories::below(&which.root);
        // Root can see what systemd passes while the service runs.
        directories.credentials.systemd = Some(which.root.join("run/credentials/kaapana-agent.service"));
        return ("the configuration".into(), Fragments::read(&directories));
    };
    let read = if path.is_dir() {
        Fragments::read(&Directories::only(path))
    } else {
        let mut fragments = Fragments::default();
        fragments.merge_file(path).map(|()| fragments)
    };
    (path.display().to_string(), read)
}

/// The end of a command about configuration files.
fn told<T>(name: &str, result: Result<Option<T>, ConfigError>, tell: impl FnOnce(T)) -> u8 {
    match result {
        Ok(Some(found)) => tell(found),
        Ok(None) => eprintln!("{name}: valid, but there is no [platform] table, so nothing is configured"),
        Err(error) => {
            error.problems.iter().for_each(|problem| eprintln!("{problem}"));
            return exit::FAILED;
        }
    }
    exit::DONE
}

fn warn(warnings: &[String]) {
    warnings.iter().for_each(|warning| eprintln!("warning: {warning}"));
}

fn check(which: &Which) -> u8 {
    let (name, read) = fragments(which);
    let leniently = read.as_ref().ok().and_then(|fragments| config::validate_leniently(fragments).ok().flatten());
    let tolerated = leniently.is_some_and(|settings| !settings.tolerated.is_empty());
    let code = told(&name, read.and_then(|fragments| config::validate(&fragments)), |settings| {
        warn(&settings.warnings);
        eprintln!("{name}: valid, {} {}", settings.release_name(), settings.text("platform.version"));
    });
    if tolerated {
        eprintln!("A new platform is not deployed so; one that is deployed so already is kept.");
    }
    code
}

fn show(which: &Which, origin: bool) -> u8 {
    let (name, read) = fragments(which);
    told(&name, read.and_then(|fragments| config::show(&fragments)), |shown| {
        warn(&shown.warnings);
        print(&text::config(&shown.lines, origin));
    })
}

/// The runs of a job's units, by systemd's ids of them; empty when the agent is not there.
async fn invocations(job: u32) -> Vec<String> {
    let asked = async {
        let connection = Connection::system().await?;
        let manager = ManagerProxy::builder(&connection).cache_properties(zbus::proxy::CacheProperties::No).build().await?;
        published(&manager).await
    };
    let Ok(published) = asked.await else { return Vec::new() };
    let running = published.job.filter(|running| running.id == job).map(|running| running.steps);
    let finished = || published.history.iter().find(|finished| finished.id == job).map(|finished| finished.steps.clone());
    let steps = running.or_else(finished).unwrap_or_default();
    steps.into_iter().map(|step| step.invocation).filter(|id| !id.is_empty()).collect()
}

async fn logs(job: Option<u32>, follow: bool) -> u8 {
    let mut arguments = vec!["--no-hostname".to_owned()];
    match job {
        None => arguments.extend(["-u".into(), "kaapana-agent.service".into(), "-u".into(), "kaapana-job-*".into()]),
        // What the agent said of the job, and what its units printed.
        Some(job) => {
            arguments.push(format!("JOB={job}"));
            for id in invocations(job).await {
                arguments.extend(["+".into(), format!("_SYSTEMD_INVOCATION_ID={id}")]);
            }
        }
    }
    if follow {
        arguments.push("--follow".into());
    }
    let error = crate::command::become_program("/usr/bin/journalctl", &arguments);
    eprintln!("kaapanactl: journalctl cannot be started: {error}");
    exit::FAILED
}
