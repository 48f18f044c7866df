//! What the documents say of keys beyond [`keys::KEYS`](super::keys::KEYS): remarks, and what each
//! table is for. Markup is neutral: what stands between backticks is to be typed or read
//! as it is.

/// A remark on a key.
#[derive(Debug, Clone, Copy)]
pub struct Note {
    /// Dotted path of the key.
    pub key: &'static str,
    /// Full sentences; may be empty.
    pub text: &'static str,
    /// Heading and address, from `docs/`, of the section that tells more.
    pub see: Option<(&'static str, &'static str)>,
}

impl Note {
    const fn new(key: &'static str, text: &'static str) -> Self {
        Self { key, text, see: None }
    }

    const fn see(self, heading: &'static str, address: &'static str) -> Self {
        Self { see: Some((heading, address)), ..self }
    }
}

/// Tables that are told together.
#[derive(Debug, Clone, Copy)]
pub struct Group {
    /// The tables.
    pub tables: &'static [&'static str],
    /// What they are for, in full sentences.
    pub intro: &'static str,
}

/// The groups, in the order of the documents. `[values]` has no keys and is told apart.
pub const GROUPS: &[Group] = &[
    Group { tables: &["platform"], intro: "The platform. A configuration without this table means: not configured, do nothing." },
    Group { tables: &["registry"], intro: "Where the chart and the images come from." },
    Group { tables: &["deployment"], intro: "How it is deployed." },
    Group { tables: &["namespaces"], intro: "Kubernetes namespaces." },
    Group { tables: &["network"], intro: "Ports and networks." },
    Group { tables: &["data"], intro: "The data directories." },
    Group { tables: &["storage"], intro: "What provides volumes." },
    Group {
        tables: &["resources"],
        intro: "How 70 % of the memory is shared out. The three are 100 together. The amounts are \
                computed when the platform is deployed and stay until it is deployed again.",
    },
    Group { tables: &["smtp"], intro: "Mail that the platform sends; none without a host." },
    Group {
        tables: &["credentials.minio", "credentials.grafana", "credentials.keycloak"],
        intro: "The administrators of three parts of the platform. The defaults are known to everybody: set your own before the \
                first deployment. Each has a password or a password_file, not both.",
    },
    Group { tables: &["agent"], intro: "The agent itself." },
];

/// What `[values]` is, in full sentences.
pub const VALUES: &str = "Any further Helm value, by its path: a string, a number, true or false, or a list of strings. Refused are \
                          a value that has a key of its own, and a map below `global`. A value whose path ends in a word such as \
                          `password`, `secret` or `token` is never shown. There are no defaults. A change redeploys.";

/// The remarks, in the order of the keys.
pub const NOTES: &[Note] = &[
    Note::new("platform.version", "A key that exists only in other releases is a mistake."),
    Note::new("platform.state", "").see("The desired state", "configure.md#the-desired-state"),
    Note::new(
        "platform.instance_uid",
        "The prefix is `<uid>-`, the suffix `-<uid>`. The namespace `admin` has no prefix. Unset for the first instance.",
    ),
    Note::new("registry.url", "Required without `deployment.chart_path`."),
    Note::new("deployment.images_tar", "As `docker save` and `ctr images export` write it.")
        .see("Offline", "configure.md#offline"),
    Note::new("registry.plain_http", "For the images the container runtime has settings of its own."),
    Note::new("registry.ca_file", "For the images the container runtime has settings of its own."),
    Note::new("registry.password", "Or `registry.password_file`, not both.").see("Passwords", "configure.md#passwords"),
    Note::new("registry.password_file", "Of mode 0600.").see("Passwords", "configure.md#passwords"),
    Note::new(
        "deployment.dev_mode",
        "With true the first password is `kaapana`, with false `Kaapana2020!`, and images are pulled only when they are absent.",
    ),
    Note::new(
        "deployment.gpu_support",
        "true and false decide whatever is found; a conflict is reported. A GPU that appears later redeploys nothing.",
    ),
    Note::new(
        "deployment.gpu_operator_version",
        "Brought only when the cluster gives no GPU to pods yet; what is there stays. Offline the archive decides.",
    )
    .see("GPUs", "configure.md#gpus"),
    Note::new("deployment.offline", "The images must be on the server."),
    Note::new(
        "deployment.chart_path",
        "The archive is copied for a deployment; another content under the same name is another chart and redeploys.",
    )
    .see("The chart", "configure.md#the-chart"),
    Note::new("deployment.strategy", "An upgrade that is interrupted is followed by a redeploy.")
        .see("Upgrading in place", "operate.md#upgrading-in-place"),
    Note::new("deployment.wait_for_workflows", "The agent does not end what still runs then; it loses the platform under it.")
        .see("Before anything is taken down", "operate.md#before-anything-is-taken-down"),
    Note::new("deployment.pre_takedown", "It runs as root.").see("The site's own program", "operate.md#the-sites-own-program"),
    Note::new(
        "deployment.stuck_after",
        "It is taken down then, and a deployment that is followed ends with it. Also how long a deployment has at least when the \
         cluster is seen again after its deadline.",
    )
    .see("Stuck releases", "operate.md#stuck-releases"),
    Note::new(
        "deployment.no_hooks",
        "On the way back, too. For a registry that is gone: the hooks must pull an image. A deployment whose take-down fails at a \
         hook goes on without hooks by itself.",
    ),
    Note::new(
        "deployment.deadline",
        "It is counted from the moment everything is in hand: what is pulled before, workflows and the site's program take no \
         time from it. The way back has as much time again.",
    ),
    Note::new("deployment.helm_timeout", "Also how long a take-down waits until everything is gone."),
    Note::new("network.https_port", "Part of the address that `kaapanactl status` shows."),
    Note::new("data.fast_dir", "May be a symbolic link."),
    Note::new("data.slow_dir", "May be a symbolic link."),
    Note::new(
        "data.require_mount",
        "`true`: they may not lie on the root file system. `false` has the same effect as `\"auto\"`: a disk that is announced \
         and not mounted holds a deployment in every case.",
    ),
    Note::new("data.critical_free_percent", "Not larger than `data.warn_free_percent`."),
    Note::new("storage.provider", "longhorn: release 0.6.").see("Longhorn", "configure.md#longhorn"),
    Note::new("resources.pacs_percent", "").see("Memory", "configure.md#memory"),
    Note::new("resources.airflow_percent", "").see("Memory", "configure.md#memory"),
    Note::new("resources.opensearch_percent", "").see("Memory", "configure.md#memory"),
    Note::new("smtp.password", "Or `smtp.password_file`, not both."),
    Note::new("agent.on_change", "").see("What an edit does", "configure.md#what-an-edit-does"),
    Note::new("agent.windows", "For example `\"Sat,Sun 02:00-05:00 Europe/Berlin\"`.")
        .see("What an edit does", "configure.md#what-an-edit-does"),
    Note::new("agent.settle", "The time begins anew with each write."),
    Note::new(
        "agent.retries",
        "Failures of the API server, interruptions, and objects that did not go count; the registry and missing kinds are asked \
         for without limit. After the last try the last good deployment is put back; the way back is begun again as often.",
    )
    .see("After a failure", "operate.md#after-a-failure"),
];

/// The remark on a key.
#[must_use]
pub fn find(key: &str) -> Option<&'static Note> {
    NOTES.iter().find(|note| note.key == key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::keys;

    #[test]
    fn each_note_names_a_known_key_once_and_is_a_sentence() {
        let mut seen = std::collections::BTreeSet::new();
        for note in NOTES {
            assert!(keys::find(note.key).is_some(), "{}", note.key);
            assert!(seen.insert(note.key), "{} stands twice", note.key);
            assert!(note.text.is_empty() || note.text.ends_with('.'), "{} wants a sentence", note.key);
            assert!(!note.text.is_empty() || note.see.is_some(), "{} says nothing", note.key);
            assert!(note.text.matches('`').count() % 2 == 0, "{}: a backtick is left", note.key);
        }
    }

    #[test]
    fn each_table_is_told_once() {
        let told: Vec<&str> = GROUPS.iter().flat_map(|group| group.tables.iter().copied()).collect();
        for table in &told {
            assert_eq!(told.iter().filter(|other| *other == table).count(), 1, "{table}");
            assert!(keys::is_table(table), "{table}");
        }
        for key in keys::KEYS {
            let (table, _) = key.path.rsplit_once('.').unwrap();
            assert!(told.contains(&table), "GROUPS does not tell what [{table}] is");
        }
    }
}
