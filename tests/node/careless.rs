//! An extension whose chart forgot to keep its claim: helm would erase the data with it.

use super::harness::Node;

const KUBECTL: &str = "/snap/bin/microk8s.kubectl";

/// What makes a release one of this platform.
pub const GLOBALS: &str = "--set global.release_name=kaapana-admin-chart,global.instance_uid=,global.hostname=10.77.0.2";

const CARELESS: &str = "apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: models, namespace: services}
spec:
  storageClassName: kaapana-hostpath-fast-data-dir
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 1Mi}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: careless, namespace: services}
spec:
  selector: {matchLabels: {app: careless}}
  template:
    metadata: {labels: {app: careless}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: a
          image: registry.example.org/kaapana/minio:0.6.0
          imagePullPolicy: Never
          command: [sh, -c, 'echo kept >/models/weights; exec sleep 3600']
          volumeMounts: [{name: m, mountPath: /models}]
      volumes: [{name: m, persistentVolumeClaim: {claimName: models}}]
";

/// Where its data lies.
pub struct Careless {
    /// Its volume.
    pub volume: String,
    /// The folder of the volume.
    pub path: String,
}

impl Careless {
    /// Installs it as an extension of this platform, in `admin`.
    pub fn install(node: &Node) -> Self {
        let chart = "apiVersion: v2\nname: careless\nversion: 1.0.0\n";
        node.package_chart("careless", "careless", &[("Chart.yaml", chart), ("templates/a.yaml", CARELESS)]);
        // The platform's own host name, whatever it is configured as.
        let host = node.ok("/snap/bin/microk8s.helm3 get values kaapana-admin-chart --namespace default --all --output json");
        let host: serde_json::Value = serde_json::from_str(&host).unwrap();
        let globals = GLOBALS.replace("10.77.0.2", host["global"]["hostname"].as_str().unwrap());
        node.ok(&format!(
            "/snap/bin/microk8s.helm3 install careless /srv/careless/careless-1.0.0.tgz --namespace admin {globals}"
        ));
        node.ok(&format!("{KUBECTL} wait deployment/careless -n services --for condition=Available --timeout 60s"));
        let volume = node.ok(&format!("{KUBECTL} get pvc -n services models -o jsonpath='{{.spec.volumeName}}'"));
        let path = node.ok(&format!("{KUBECTL} get pv {volume} -o jsonpath='{{.spec.hostPath.path}}'"));
        assert_eq!(node.ok(&format!("cat {path}/weights")).trim(), "kept");
        Self { volume, path }
    }

    /// The claim is gone, and its data lies where it lay.
    pub fn is_kept(node: &Node) {
        assert!(node.exits(1, &format!("{KUBECTL} get pvc -n services models")).contains("NotFound"));
        let of = "-o jsonpath='{range .items[?(@.spec.claimRef.name==\"models\")]}{.status.phase} {.spec.hostPath.path}{end}'";
        let volume = node.ok(&format!("{KUBECTL} get pv {of}"));
        let (phase, path) = volume.split_once(' ').unwrap_or_else(|| panic!("{volume}"));
        assert_eq!(phase, "Released");
        assert_eq!(node.ok(&format!("cat {path}/weights")).trim(), "kept");
    }
}
