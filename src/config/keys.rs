//! The one table of all configuration keys.
//!
//! Everything that must know the keys reads this table: validation, the nearest
//! known key in an error, what an edit touches, the reference. The variables are
//! those of Kaapana's deploy script (releases 0.2 to 0.6).

/// What values a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any string without control characters.
    Text,
    /// `true` or `false`; the string `"false"` is not a truth value.
    Bool,
    /// `"auto"`, `true` or `false`.
    AutoBool,
    /// An integer between the two bounds, inclusive.
    Integer(i64, i64),
    /// One of these words.
    Choice(&'static [&'static str]),
    /// An absolute path.
    Path,
    /// A time span such as `"90s"`, `"15m"` or `"2h"`.
    Duration,
    /// A DNS label (RFC 1123): a namespace.
    Label,
    /// A host name (RFC 1123) or an IP address.
    Host,
    /// As [`Kind::Host`], in lower case: what browsers ask for.
    Domain,
    /// A size in bytes as Kubernetes writes it, such as `"100Gi"`.
    Quantity,
    /// A registry: host, optional port and path, without a scheme.
    Registry,
    /// A Helm release and chart name.
    ReleaseName,
    /// A version (`SemVer` as Helm reads it).
    Version,
    /// As [`Kind::Version`], also with a leading `v`.
    VersionTag,
    /// A user name or password in the alphabet the charts can carry.
    Credential,
    /// A list of absolute paths.
    Paths,
    /// A list of networks in CIDR notation.
    Cidrs,
    /// A list of maintenance windows.
    Windows,
}

impl Kind {
    /// What a message says was expected.
    #[must_use]
    pub fn expectation(self) -> String {
        match self {
            Self::Text => "a string without control characters".into(),
            Self::Bool => "true or false (without quotes)".into(),
            Self::AutoBool => "\"auto\", true or false".into(),
            Self::Integer(low, high) => format!("an integer from {low} to {high}"),
            Self::Choice(words) => {
                format!("one of {}", words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", "))
            }
            Self::Path => "an absolute path in quotes".into(),
            Self::Duration => "a time span in quotes, such as \"90s\", \"15m\" or \"2h\"".into(),
            Self::Label => "a DNS label: up to 63 lower-case letters, digits and '-'".into(),
            Self::Host | Self::Domain => "a host name or an IP address".into(),
            Self::Quantity => "a size in quotes, such as \"100Gi\", of at least \"1Mi\"".into(),
            Self::Registry => "a registry without a scheme, such as \"registry.example.org/kaapana\"".into(),
            Self::ReleaseName => "a release name: up to 53 lower-case letters, digits and '-'".into(),
            Self::Version => "a version such as \"0.6.0\"".into(),
            Self::VersionTag => "a version such as \"v25.10.0\"".into(),
            Self::Credential => "a string of A-Z a-z 0-9 . _ @ ! % + = - that starts with a letter".into(),
            Self::Paths => "a list of absolute paths in quotes".into(),
            Self::Windows => format!("a list of {}", super::window::EXPECTATION),
            Self::Cidrs => "a list of networks such as [\"10.1.0.0/16\"]".into(),
        }
    }
}

/// What a change of a key does to a platform that is deployed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nothing: it steers the agent.
    Agent,
    /// It is an input of the deployment; when the chart or a Helm value differs
    /// because of it, the platform is redeployed.
    Redeploy,
    /// It decides which platform this is: held until a person accepts it.
    Identity,
    /// It is the desired state.
    State,
}

/// One key.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Dotted path, `table.key`.
    pub path: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// The default, as it would stand in TOML; `None`: unset.
    pub default: Option<&'static str>,
    /// The variable of Kaapana's deploy script it replaces.
    pub variable: Option<&'static str>,
    /// What a change does.
    pub effect: Effect,
    /// Must never be shown.
    pub secret: bool,
    /// The meaning, one or two sentences, with units.
    pub doc: &'static str,
}

const fn key(
    path: &'static str,
    kind: Kind,
    default: Option<&'static str>,
    variable: Option<&'static str>,
    effect: Effect,
    doc: &'static str,
) -> Key {
    Key { path, kind, default, variable, effect, secret: false, doc }
}

const fn secret(path: &'static str, default: Option<&'static str>, variable: &'static str, doc: &'static str) -> Key {
    Key { path, kind: Kind::Credential, default, variable: Some(variable), effect: Effect::Redeploy, secret: true, doc }
}

use Effect::{Agent, Identity, Redeploy, State};
use Kind::{
    AutoBool, Bool, Choice, Cidrs, Credential, Domain, Duration, Host, Integer, Label, Path, Paths, Quantity, Registry,
    ReleaseName, Text, Version, VersionTag, Windows,
};

/// All keys, by table. A table `[values]` takes any further Helm value besides.
pub const KEYS: &[Key] = &[
    key(
        "platform.name",
        ReleaseName,
        Some("kaapana-admin-chart"),
        Some("PLATFORM_NAME"),
        Identity,
        "Name of the chart and of its Helm release.",
    ),
    key("platform.version", Version, None, Some("PLATFORM_VERSION"), Redeploy, "Version of the chart. Required."),
    key(
        "platform.state",
        Choice(&["deployed", "undeployed"]),
        Some("deployed"),
        None,
        State,
        "The desired state. An undeploy by command is remembered until this key itself changes or someone deploys.",
    ),
    key(
        "platform.domain",
        Domain,
        None,
        Some("DOMAIN"),
        Redeploy,
        "Host name or IP address under which the platform is reached. Required.",
    ),
    key(
        "platform.instance_uid",
        Label,
        None,
        Some("INSTANCE_UID"),
        Identity,
        "Identifier of a second instance on the same node: prefix of its namespaces, suffix of its data directories.",
    ),
    key("platform.instance_name", Text, None, Some("INSTANCE_NAME"), Redeploy, "Name shown to users; the domain when unset."),
    key(
        "registry.url",
        Registry,
        None,
        Some("CONTAINER_REGISTRY_URL"),
        Redeploy,
        "Registry of the chart and of the images, without a scheme.",
    ),
    key("registry.username", Credential, None, Some("CONTAINER_REGISTRY_USERNAME"), Redeploy, "User name at the registry."),
    secret("registry.password", None, "CONTAINER_REGISTRY_PASSWORD", "Password at the registry."),
    key(
        "registry.password_file",
        Path,
        None,
        None,
        Redeploy,
        "File that holds the password at the registry; instead of registry.password.",
    ),
    key(
        "registry.plain_http",
        Bool,
        Some("false"),
        Some("PLAIN_HTTP"),
        Redeploy,
        "The chart is pulled without TLS: anybody on the way can read the password and change the chart.",
    ),
    key(
        "registry.ca_file",
        Path,
        None,
        None,
        Redeploy,
        "File of certificates (PEM) that are trusted for the registry besides those of the system.",
    ),
    key(
        "deployment.dev_mode",
        Bool,
        Some("true"),
        Some("DEV_MODE"),
        Redeploy,
        "Development mode: images are always pulled and the first password is simple.",
    ),
    key(
        "deployment.gpu_support",
        AutoBool,
        Some("\"auto\""),
        Some("GPU_SUPPORT"),
        Redeploy,
        "Deploy with GPU support; auto: when a GPU is found at the time of the deployment.",
    ),
    key(
        "deployment.gpu_operator_version",
        VersionTag,
        Some("v25.10.0"),
        Some("GPU_OPERATOR_VERSION"),
        Agent,
        "Version of NVIDIA's GPU operator that MicroK8s is asked for.",
    ),
    key(
        "deployment.prefetch_extensions",
        Bool,
        Some("false"),
        Some("PREFETCH_EXTENSIONS"),
        Redeploy,
        "Fetch the images of all extensions ahead; false with a chart_path.",
    ),
    key(
        "deployment.enable_nfs",
        Bool,
        Some("false"),
        Some("ENABLE_NFS"),
        Redeploy,
        "The platform serves its data by NFS to further nodes.",
    ),
    key(
        "deployment.offline",
        Bool,
        Some("false"),
        Some("OFFLINE_MODE"),
        Redeploy,
        "Use no network; needs deployment.chart_path.",
    ),
    key(
        "deployment.chart_path",
        Path,
        None,
        Some("CHART_PATH"),
        Redeploy,
        "The chart's archive, named <platform.name>-<platform.version>.tgz.",
    ),
    key(
        "deployment.images_tar",
        Path,
        None,
        None,
        Redeploy,
        "An archive of images, named <platform.name>-<platform.version>-images.tar; imported before a deployment when images are missing.",
    ),
    key(
        "deployment.strategy",
        Choice(&["redeploy", "upgrade"]),
        Some("redeploy"),
        None,
        Agent,
        "How a change is made: redeploy takes the platform down and installs it again, which Kaapana's charts need; upgrade changes it in place, for charts that can.",
    ),
    key(
        "deployment.wait_for_workflows",
        Duration,
        Some("30m"),
        None,
        Agent,
        "How long running workflows are waited for before the platform is taken down; \"0s\" does not wait.",
    ),
    key(
        "deployment.pre_takedown",
        Path,
        None,
        None,
        Agent,
        "A program of the site's that runs before the platform is taken down, such as a backup; when it fails, nothing is taken down.",
    ),
    key("deployment.pre_takedown_timeout", Duration, Some("1h"), None, Agent, "How long the site's program may take."),
    key(
        "deployment.migration",
        Choice(&["ask", "auto"]),
        Some("ask"),
        None,
        Agent,
        "Data of an older release: ask wants kaapanactl migrate from a person; auto migrates it by itself, after the site's program (deployment.pre_takedown) made a backup.",
    ),
    key(
        "deployment.migration_deadline",
        Duration,
        Some("24h"),
        None,
        Agent,
        "How long a migration is followed. It is never ended: what has not ended by then goes on, and kaapanactl migrate follows it again.",
    ),
    key(
        "deployment.stuck_after",
        Duration,
        Some("5m"),
        None,
        Agent,
        "How long a release may be pending or uninstalling, with no helm running, before it counts as stuck.",
    ),
    key(
        "deployment.no_hooks",
        Bool,
        Some("false"),
        Some("NO_HOOKS"),
        Agent,
        "Take down without the charts' hooks, in an undeploy and before a deployment.",
    ),
    key("deployment.deadline", Duration, Some("1h"), None, Agent, "How long a deployment may take until everything is healthy."),
    key("deployment.helm_timeout", Duration, Some("15m"), None, Agent, "How long one helm operation may take."),
    key(
        "deployment.http_proxy",
        Text,
        None,
        Some("http_proxy"),
        Redeploy,
        "Proxy for HTTP that the platform uses to reach the internet.",
    ),
    key(
        "deployment.https_proxy",
        Text,
        None,
        Some("https_proxy"),
        Redeploy,
        "Proxy for HTTPS that the platform uses to reach the internet.",
    ),
    key(
        "namespaces.admin",
        Label,
        Some("admin"),
        Some("ADMIN_NAMESPACE"),
        Identity,
        "Namespace of login, proxy and administration.",
    ),
    key(
        "namespaces.services",
        Label,
        Some("services"),
        Some("SERVICES_NAMESPACE"),
        Identity,
        "Namespace of the platform's services.",
    ),
    key("namespaces.jobs", Label, Some("jobs"), Some("JOBS_NAMESPACE"), Identity, "Namespace of processing jobs."),
    key("namespaces.extensions", Label, Some("extensions"), Some("EXTENSIONS_NAMESPACE"), Identity, "Namespace of extensions."),
    key(
        "namespaces.helm",
        Label,
        Some("default"),
        Some("HELM_NAMESPACE"),
        Identity,
        "Namespace in which Helm keeps the root release.",
    ),
    key("network.http_port", Integer(1, 65535), Some("80"), Some("HTTP_PORT"), Redeploy, "Port of the web page, HTTP."),
    key("network.https_port", Integer(1, 65535), Some("443"), Some("HTTPS_PORT"), Redeploy, "Port of the web page, HTTPS."),
    key("network.dicom_port", Integer(1, 65535), Some("11112"), Some("DICOM_PORT"), Redeploy, "Port of the DICOM receiver."),
    key(
        "network.internal_cidrs",
        Cidrs,
        None,
        None,
        Redeploy,
        "Networks that are not reached through the proxy; by default the cluster's own and this server's.",
    ),
    key(
        "data.fast_dir",
        Path,
        Some("/home/kaapana"),
        Some("FAST_DATA_DIR"),
        Identity,
        "Directory of databases and working data, on a fast disk.",
    ),
    key(
        "data.slow_dir",
        Path,
        Some("/home/kaapana"),
        Some("SLOW_DATA_DIR"),
        Identity,
        "Directory of images and archives, on a large disk.",
    ),
    key(
        "data.require_mount",
        AutoBool,
        Some("\"auto\""),
        None,
        Agent,
        "Data directories must lie on mounted disks; auto: when fstab or a mount unit says so.",
    ),
    key(
        "data.mount_points_to_monitor",
        Paths,
        None,
        Some("MOUNT_POINTS_TO_MONITOR"),
        Redeploy,
        "Further mount points the platform shows the free space of; the agent looks at them, too.",
    ),
    key(
        "data.warn_free_percent",
        Integer(1, 90),
        Some("15"),
        None,
        Agent,
        "Free space of a data disk below which a warning is raised, in percent.",
    ),
    key(
        "data.critical_free_percent",
        Integer(1, 90),
        Some("7"),
        None,
        Agent,
        "Free space of a data disk below which nothing is deployed, in percent.",
    ),
    key(
        "storage.provider",
        Choice(&["hostpath", "longhorn"]),
        Some("hostpath"),
        Some("STORAGE_PROVIDER"),
        Identity,
        "What provides volumes.",
    ),
    key(
        "storage.volume_slow_data",
        Quantity,
        Some("100Gi"),
        Some("VOLUME_SLOW_DATA"),
        Redeploy,
        "Size of the volume for slow data.",
    ),
    key(
        "storage.replica_count",
        Integer(1, 9),
        Some("1"),
        Some("REPLICA_COUNT"),
        Redeploy,
        "Replicas of a longhorn volume; 1 becomes 2 when more than one node of Longhorn takes volumes at the time of the deployment.",
    ),
    key("resources.pacs_percent", Integer(1, 100), Some("30"), Some("PACS_PERCENT"), Redeploy, "Share of memory for the PACS."),
    key(
        "resources.airflow_percent",
        Integer(1, 100),
        Some("50"),
        Some("AIRFLOW_PERCENT"),
        Redeploy,
        "Share of memory for Airflow.",
    ),
    key(
        "resources.opensearch_percent",
        Integer(1, 100),
        Some("20"),
        Some("OPENSEARCH_PERCENT"),
        Redeploy,
        "Share of memory for OpenSearch.",
    ),
    key("smtp.host", Host, None, Some("SMTP_HOST"), Redeploy, "Mail server."),
    key("smtp.port", Integer(0, 65535), Some("0"), Some("SMTP_PORT"), Redeploy, "Port of the mail server."),
    key("smtp.username", Credential, None, Some("SMTP_USERNAME"), Redeploy, "User name at the mail server."),
    secret("smtp.password", None, "SMTP_PASSWORD", "Password at the mail server."),
    key("smtp.password_file", Path, None, None, Redeploy, "File that holds the password at the mail server."),
    key("smtp.sender", Text, None, Some("EMAIL_ADDRESS_SENDER"), Redeploy, "Sender of the platform's mail."),
    key(
        "credentials.minio.username",
        Credential,
        Some("kaapanaminio"),
        Some("CREDENTIALS_MINIO_USERNAME"),
        Redeploy,
        "MinIO's administrator.",
    ),
    secret("credentials.minio.password", Some("Kaapana2020"), "CREDENTIALS_MINIO_PASSWORD", "Password of MinIO's administrator."),
    key("credentials.minio.password_file", Path, None, None, Redeploy, "File that holds the password of MinIO's administrator."),
    key(
        "credentials.grafana.username",
        Credential,
        Some("admin"),
        Some("GRAFANA_USERNAME"),
        Redeploy,
        "Grafana's administrator.",
    ),
    secret("credentials.grafana.password", Some("admin"), "GRAFANA_PASSWORD", "Password of Grafana's administrator."),
    key(
        "credentials.grafana.password_file",
        Path,
        None,
        None,
        Redeploy,
        "File that holds the password of Grafana's administrator.",
    ),
    key(
        "credentials.keycloak.username",
        Credential,
        Some("admin"),
        Some("KEYCLOAK_ADMIN_USERNAME"),
        Redeploy,
        "Keycloak's administrator.",
    ),
    secret(
        "credentials.keycloak.password",
        Some("Kaapana2020"),
        "KEYCLOAK_ADMIN_PASSWORD",
        "Password of Keycloak's administrator.",
    ),
    key(
        "credentials.keycloak.password_file",
        Path,
        None,
        None,
        Redeploy,
        "File that holds the password of Keycloak's administrator.",
    ),
    key(
        "agent.on_change",
        Choice(&["redeploy", "window", "plan"]),
        Some("redeploy"),
        None,
        Agent,
        "What a change of the configuration does: redeploy at once, in the next maintenance window, or only show the plan.",
    ),
    key(
        "agent.windows",
        Windows,
        None,
        None,
        Agent,
        "Maintenance windows: days, begin and end by the clock of the place, and its time zone.",
    ),
    key("agent.settle", Duration, Some("5s"), None, Agent, "How long the configuration must be quiet before it is read."),
    key(
        "agent.stability",
        Duration,
        Some("5s"),
        None,
        Agent,
        "How long everything must be healthy before a deployment counts as done.",
    ),
    key(
        "agent.failure_grace",
        Duration,
        Some("60s"),
        None,
        Agent,
        "How long a Job of the platform may be failed before the deployment fails with it.",
    ),
    key(
        "agent.retries",
        Integer(0, 10),
        Some("3"),
        None,
        Agent,
        "How often a failed deployment is tried again after the cause of its failure went away.",
    ),
];

/// The entry of a key.
#[must_use]
pub fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

/// The platform's first login, by [development mode](KEYS) or not; documented by Kaapana.
pub const INIT_PASSWORDS: [&str; 2] = ["kaapana", "Kaapana2020!"];

/// Is this one of the documented default passwords, which hiding would not protect?
#[must_use]
pub fn is_public_password(text: &str) -> bool {
    INIT_PASSWORDS.contains(&text) || KEYS.iter().any(|key| key.secret && key.default == Some(text))
}

/// Is this the name of a table (`credentials` and `credentials.minio` are)?
#[must_use]
pub fn is_table(path: &str) -> bool {
    let below = format!("{path}.");
    KEYS.iter().any(|key| key.path.starts_with(&below))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_unique_and_tables_are_together() {
        let mut seen = std::collections::BTreeSet::new();
        for key in KEYS {
            assert!(seen.insert(key.path), "{} stands twice", key.path);
            assert!(key.doc.ends_with('.'), "{} wants a sentence", key.path);
        }
    }

    /// Every variable of Kaapana's deploy scripts of 0.2 to 0.6 with its default there, the key it
    /// becomes, and the default of that.
    #[test]
    fn every_variable_of_the_script_has_its_key() {
        let rows = "
            PLATFORM_NAME                 platform.name                 kaapana-admin-chart
            PLATFORM_VERSION              platform.version              -
            CONTAINER_REGISTRY_URL        registry.url                  -
            CONTAINER_REGISTRY_USERNAME   registry.username             -
            CONTAINER_REGISTRY_PASSWORD   registry.password             -
            PLAIN_HTTP                    registry.plain_http           false
            DEV_MODE                      deployment.dev_mode           true
            GPU_SUPPORT                   deployment.gpu_support        \"auto\"
            GPU_OPERATOR_VERSION          deployment.gpu_operator_version v25.10.0
            PREFETCH_EXTENSIONS           deployment.prefetch_extensions false
            CHART_PATH                    deployment.chart_path         -
            NO_HOOKS                      deployment.no_hooks           false
            ENABLE_NFS                    deployment.enable_nfs         false
            OFFLINE_MODE                  deployment.offline            false
            INSTANCE_UID                  platform.instance_uid         -
            INSTANCE_NAME                 platform.instance_name        -
            SERVICES_NAMESPACE            namespaces.services           services
            ADMIN_NAMESPACE               namespaces.admin              admin
            EXTENSIONS_NAMESPACE          namespaces.extensions         extensions
            JOBS_NAMESPACE                namespaces.jobs               jobs
            HELM_NAMESPACE                namespaces.helm               default
            FAST_DATA_DIR                 data.fast_dir                 /home/kaapana
            SLOW_DATA_DIR                 data.slow_dir                 /home/kaapana
            DOMAIN                        platform.domain               -
            HTTP_PORT                     network.http_port             80
            HTTPS_PORT                    network.https_port            443
            DICOM_PORT                    network.dicom_port            11112
            CREDENTIALS_MINIO_USERNAME    credentials.minio.username    kaapanaminio
            CREDENTIALS_MINIO_PASSWORD    credentials.minio.password    Kaapana2020
            GRAFANA_USERNAME              credentials.grafana.username  admin
            GRAFANA_PASSWORD              credentials.grafana.password  admin
            KEYCLOAK_ADMIN_USERNAME       credentials.keycloak.username admin
            KEYCLOAK_ADMIN_PASSWORD       credentials.keycloak.password Kaapana2020
            PACS_PERCENT                  resources.pacs_percent        30
            AIRFLOW_PERCENT               resources.airflow_percent     50
            OPENSEARCH_PERCENT            resources.opensearch_percent  20
            http_proxy                    deployment.http_proxy         -
            https_proxy                   deployment.https_proxy        -
            SMTP_HOST                     smtp.host                     -
            SMTP_PORT                     smtp.port                     0
            SMTP_USERNAME                 smtp.username                 -
            SMTP_PASSWORD                 smtp.password                 -
            EMAIL_ADDRESS_SENDER          smtp.sender                   -
            MOUNT_POINTS_TO_MONITOR       data.mount_points_to_monitor  -
            STORAGE_PROVIDER              storage.provider              hostpath
            VOLUME_SLOW_DATA              storage.volume_slow_data      100Gi
            REPLICA_COUNT                 storage.replica_count         1";
        for row in rows.lines().filter(|row| !row.trim().is_empty()) {
            let [variable, path, default] = row.split_whitespace().collect::<Vec<_>>().try_into().unwrap();
            let key = find(path).unwrap_or_else(|| panic!("{path} is no key"));
            assert_eq!((key.variable, key.default.unwrap_or("-")), (Some(variable), default), "{path}");
        }
        // The one that is left is made by the agent.
        assert!(KEYS.iter().all(|key| key.variable != Some("OIDC_CLIENT_SECRET")));
        let told = rows.lines().filter(|row| !row.trim().is_empty()).count();
        let known: Vec<_> = KEYS.iter().filter_map(|key| key.variable).collect();
        assert_eq!(known.len(), told, "a variable that does not stand here: {known:?}");
    }
}
