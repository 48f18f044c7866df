//! Do the objects of the platform's releases still say what their manifests say? Looked at while no
//! job works.
//!
//! Each object of a manifest is applied as a dry run (server-side apply, Kubernetes 1.18 and
//! later): the API server itself knows its defaults and how lists are merged, and what it answers
//! would differ from what is there only where somebody changed that. Nothing is written. Values are
//! never told: passwords stand among them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Method, Request};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::APIResourceList;
use kube::core::Status;
use kube::{Api, Client};
use serde_json::Value as Json;
use tokio::sync::watch;

use super::{Observation, Observations, api, release};
use crate::error::chain;
use crate::paths::Paths;
use crate::state::{Drifted, ObjectId, Observed};

/// How often it is looked at.
const PERIOD: Duration = Duration::from_secs(600);

/// How often while something differs.
const PERIOD_DRIFTED: Duration = Duration::from_secs(30);

/// How often while it could not be looked at.
const PERIOD_FAILED: Duration = Duration::from_secs(120);

/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Kinds that end and go by themselves.
const PASSING: &[&str] = &["Job", "Pod"];

/// The most of an object's fields that are named.
const FIELDS: usize = 3;

/// Namespace, name and revision of the releases to look at.
pub type Question = Vec<(String, String, u64)>;

/// An object that differed, and what it is compared with.
struct Suspect {
    path: String,
    document: String,
    drifted: Drifted,
}

/// Looks while there is a question, until the receiver is gone.
pub async fn run(paths: Arc<Paths>, mut question: watch::Receiver<Option<Question>>, observations: Observations) {
    let mut suspects: Vec<Suspect> = Vec::new();
    let mut whole: Option<(Question, Instant)> = None;
    loop {
        let asked = question.borrow_and_update().clone();
        // In between only what differed is looked at again.
        let known = matches!((&asked, &whole), (Some(releases), Some((of, at))) if of == releases && at.elapsed() < PERIOD);
        let seen = match &asked {
            None => Err("no platform is at rest".into()),
            Some(releases) => {
                let looking = async {
                    let client = api::connect(&paths.kubeconfig).await?;
                    if known { again(&client, std::mem::take(&mut suspects)).await } else { look(client, releases).await }
                };
                let looked = tokio::time::timeout(PATIENCE, looking).await;
                looked.unwrap_or_else(|_| Err(format!("no answer within {} s", PATIENCE.as_secs())))
            }
        };
        // What was asked for is not what is there any more: an old manifest would be compared with new objects.
        match question.has_changed() {
            Err(_) => return,
            Ok(true) if asked.is_some() => {
                whole = None;
                continue;
            }
            Ok(_) => {}
        }
        let period = match (&seen, &asked) {
            (Ok(found), _) if found.is_empty() => Some(PERIOD),
            (Ok(_), _) => Some(PERIOD_DRIFTED),
            (Err(_), Some(_)) => Some(PERIOD_FAILED),
            (Err(_), None) => None,
        };
        let seen = match seen {
            Ok(found) => {
                if let (Some(releases), false) = (asked, known) {
                    whole = Some((releases, Instant::now()));
                }
                let drifted = found.iter().map(|one| one.drifted.clone()).collect();
                suspects = found;
                Observed::Fresh(drifted)
            }
            Err(reason) => {
                whole = None;
                // Nobody asks: it will be looked at when a platform is at rest.
                if asked.is_none() { Observed::Pending } else { Observed::Unknown { reason } }
            }
        };
        if observations.send(Observation::Drift(seen)).await.is_err() {
            return;
        }
        let changed = match period {
            Some(period) => tokio::time::timeout(period, question.changed()).await.unwrap_or(Ok(())),
            None => question.changed().await,
        };
        if changed.is_err() {
            return;
        }
    }
}

/// One look at everything these releases brought.
async fn look(client: Client, releases: &Question) -> Result<Vec<Suspect>, String> {
    let mut kinds = Kinds { client: client.clone(), served: BTreeMap::new() };
    let mut found = Vec::new();
    for (namespace, name, revision) in releases {
        let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
        let secret = format!("sh.helm.release.v1.{name}.v{revision}");
        // The text of one release at a time.
        let manifest = secrets.get(&secret).await.map_err(|error| chain(&error))?;
        let manifest = release::manifest(&manifest).map_err(|error| chain(&error))?;
        let before = found.len();
        for (document, entry) in release::manifest_documents(&manifest) {
            if PASSING.contains(&entry.kind.as_str()) {
                continue;
            }
            // A kind that is no longer served is told by what needs it.
            let Some((plural, namespaced)) = kinds.of(&entry.api_version, &entry.kind).await? else { continue };
            let of = if namespaced { entry.metadata.namespace.as_deref().unwrap_or(namespace) } else { "" };
            let path = path_of(&entry.api_version, &plural, of, &entry.metadata.name);
            if let Some(how) = compare(&client, &path, &document).await? {
                let object = ObjectId::new(&entry.kind, of, &entry.metadata.name);
                found.push(Suspect { path, document, drifted: Drifted { object, release: name.clone(), how } });
            }
        }
        // Helm may have begun with it meanwhile, and the watch told it only now.
        if found.len() > before && !is_deployed(&secrets, &secret).await? {
            found.truncate(before);
        }
    }
    Ok(found)
}

/// Looks at those that differed.
async fn again(client: &Client, suspects: Vec<Suspect>) -> Result<Vec<Suspect>, String> {
    let mut found = Vec::new();
    for mut suspect in suspects {
        if let Some(how) = compare(client, &suspect.path, &suspect.document).await? {
            suspect.drifted.how = how;
            found.push(suspect);
        }
    }
    Ok(found)
}

async fn is_deployed(secrets: &Api<Secret>, name: &str) -> Result<bool, String> {
    let metadata = secrets.get_metadata_opt(name).await.map_err(|error| chain(&error))?;
    let status = metadata.and_then(|secret| secret.metadata.labels?.remove("status"));
    Ok(status.as_deref() == Some("deployed"))
}

/// Did the API server not look at it? What it looked at and refused is another matter.
fn is_unanswered(status: &Status) -> bool {
    status.code == 429 || (status.code >= 500 && !status.message.contains("failed to create typed"))
}

/// What differs of one object; `None`: nothing, or it cannot be compared this way.
///
/// # Errors
///
/// When the API server did not look at it.
async fn compare(client: &Client, path: &str, document: &str) -> Result<Option<String>, String> {
    let get = request(Method::GET, path, "application/json", Vec::new());
    let live: Json = match client.request(get).await {
        Ok(live) => live,
        Err(kube::Error::Api(status)) if status.code == 404 => return Ok(Some("was deleted".into())),
        Err(kube::Error::Api(status)) if !is_unanswered(&status) => return Ok(None),
        Err(error) => return Err(chain(&error)),
    };
    if live.pointer("/metadata/deletionTimestamp").is_some() {
        return Ok(None);
    }
    let dry = format!("{path}?dryRun=All&force=true&fieldManager=kaapana-agent&fieldValidation=Ignore");
    let patch = request(Method::PATCH, &dry, "application/apply-patch+yaml", document.as_bytes().to_vec());
    let wanted: Json = match client.request(patch).await {
        Ok(wanted) => wanted,
        // Such as a list that names the same thing twice, which only server-side apply minds.
        Err(kube::Error::Api(status)) if !is_unanswered(&status) => return Ok(None),
        Err(error) => return Err(chain(&error)),
    };
    let mut fields = Vec::new();
    differences(&strip(live), &strip(wanted), String::new(), &mut fields);
    if fields.is_empty() {
        return Ok(None);
    }
    let more = fields.len().saturating_sub(FIELDS);
    fields.truncate(FIELDS);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Ok(Some(format!("differs in {}{more}", fields.join(", "))))
}

fn request(method: Method, path: &str, kind: &str, body: Vec<u8>) -> Request<Vec<u8>> {
    let mut request = Request::new(body);
    *request.method_mut() = method;
    if let Ok(uri) = path.parse() {
        *request.uri_mut() = uri;
    }
    if let Ok(kind) = kind.parse() {
        request.headers_mut().insert(http::header::CONTENT_TYPE, kind);
    }
    request
}

/// Without what changes by itself.
fn strip(mut object: Json) -> Json {
    if let Some(all) = object.as_object_mut() {
        all.remove("status");
        if let Some(metadata) = all.get_mut("metadata").and_then(Json::as_object_mut) {
            for name in ["managedFields", "resourceVersion", "generation", "selfLink"] {
                metadata.remove(name);
            }
        }
    }
    object
}

/// The paths at which they differ, as `spec.template.spec.containers[0].image`.
fn differences(live: &Json, wanted: &Json, at: String, found: &mut Vec<String>) {
    match (live, wanted) {
        (Json::Object(live), Json::Object(wanted)) => {
            let names: std::collections::BTreeSet<&String> = live.keys().chain(wanted.keys()).collect();
            for name in names {
                let below = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
                differences(live.get(name).unwrap_or(&Json::Null), wanted.get(name).unwrap_or(&Json::Null), below, found);
            }
        }
        (Json::Array(live), Json::Array(wanted)) if live.len() == wanted.len() => {
            for (number, (live, wanted)) in live.iter().zip(wanted).enumerate() {
                differences(live, wanted, format!("{at}[{number}]"), found);
            }
        }
        _ if live == wanted => {}
        _ => found.push(at),
    }
}

fn path_of(api_version: &str, plural: &str, namespace: &str, name: &str) -> String {
    let root = if api_version.contains('/') { format!("/apis/{api_version}") } else { format!("/api/{api_version}") };
    match namespace {
        "" => format!("{root}/{plural}/{name}"),
        namespace => format!("{root}/namespaces/{namespace}/{plural}/{name}"),
    }
}

/// What the API server calls a kind, and whether it lives in namespaces.
struct Kinds {
    client: Client,
    served: BTreeMap<String, BTreeMap<String, (String, bool)>>,
}

impl Kinds {
    async fn of(&mut self, api_version: &str, kind: &str) -> Result<Option<(String, bool)>, String> {
        if !self.served.contains_key(api_version) {
            let list = if api_version.contains('/') {
                self.client.list_api_group_resources(api_version).await
            } else {
                self.client.list_core_api_resources(api_version).await
            };
            let kinds = match list {
                Ok(APIResourceList { resources, .. }) => resources
                    .into_iter()
                    .filter(|resource| !resource.name.contains('/'))
                    .map(|resource| (resource.kind, (resource.name, resource.namespaced)))
                    .collect(),
                Err(kube::Error::Api(status)) if !is_unanswered(&status) => BTreeMap::new(),
                Err(error) => return Err(chain(&error)),
            };
            self.served.insert(api_version.to_owned(), kinds);
        }
        Ok(self.served.get(api_version).and_then(|kinds| kinds.get(kind)).cloned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn differences_are_named_by_their_path() {
        let of = |live: Json, wanted: Json| {
            let mut found = Vec::new();
            differences(&strip(live), &strip(wanted), String::new(), &mut found);
            found
        };
        let live = json!({"metadata": {"resourceVersion": "1", "labels": {"a": "1"}}, "spec": {"replicas": 0, "list": [{"image": "x"}]}, "status": 1});
        assert_eq!(
            of(
                live.clone(),
                json!({"metadata": {"resourceVersion": "2", "labels": {"a": "1"}}, "spec": {"replicas": 0, "list": [{"image": "x"}]}})
            ),
            [""; 0]
        );
        let wanted = json!({"metadata": {"labels": {}}, "spec": {"replicas": 1, "list": [{"image": "y"}]}});
        assert_eq!(of(live.clone(), wanted), ["metadata.labels.a", "spec.list[0].image", "spec.replicas"]);
        assert_eq!(of(live, json!({"metadata": {"labels": {"a": "1"}}, "spec": {"replicas": 0, "list": []}})), ["spec.list"]);
    }

    #[test]
    fn a_server_that_did_not_look_is_no_verdict() {
        let status = |code: u16, message: &str| Status { code, message: message.into(), ..Status::default() };
        assert!(is_unanswered(&status(429, "")) && is_unanswered(&status(504, "etcdserver: request timed out")));
        assert!(!is_unanswered(&status(500, "failed to create typed patch object: duplicate entries")));
        assert!(!is_unanswered(&status(422, "immutable")) && !is_unanswered(&status(404, "")));
    }

    #[test]
    fn objects_are_found_by_kind_and_namespace() {
        assert_eq!(path_of("v1", "services", "a", "b"), "/api/v1/namespaces/a/services/b");
        assert_eq!(
            path_of("rbac.authorization.k8s.io/v1", "clusterroles", "", "b"),
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/b"
        );
    }
}
